"""Configuration of the run on Kubeflow Pipelines: the image, which stages share a step, and what each step is given."""

from pydantic import Field

from components.config import Section


class StepConfig(Section):
    """One step: a pod that runs some stages of the graph, one after the other."""

    stages: tuple[str, ...] = Field(
        description="in the order of the graph; stages that the graph does not have are ignored"
    )
    cpu_request: str | None = Field(None, description="cores, as Kubernetes writes them: 2 or 500m")
    cpu_limit: str | None = Field(None, description="cores")
    memory_request: str | None = Field("3G", description="bytes, as Kubernetes writes them: 3G or 512Mi")
    memory_limit: str | None = Field(None, description="bytes")
    accelerator_type: str | None = Field(None, description="the resource's name, such as nvidia.com/gpu")
    accelerator_limit: int = Field(1, ge=1, description="how many of them, if accelerator_type is set")
    node_selector: dict[str, str] = Field({}, description="labels of the nodes that it may run on")
    retries: int = Field(
        0,
        ge=0,
        description="after a failure; the backend also retries a refusal, so keep it low in a step with a gate",
    )


#: Every step costs two pods and about 20 s on the backend, whatever it does, so quick neighbours share one.
STEPS = {
    "Prepare data": StepConfig(
        stages=("Ingest", "StatisticsGen", "SchemaGen", "ExampleValidator", "DataGate", "Transform"),
        retries=1,
    ),
    "Train": StepConfig(stages=("Trainer",), retries=2),
    "Evaluate": StepConfig(stages=("LatestRelease", "Evaluator")),
    "Optimize": StepConfig(stages=("Optimizer",)),
    "Release": StepConfig(stages=("Canary", "Pusher"), retries=1),
}


class KubeflowConfig(Section):
    """How the graph runs on Kubeflow Pipelines. Stages, gates and cache are those of a local run."""

    image: str = Field(
        "localhost/slipway-pipeline:latest",
        description="made by infra/docker/pipeline.Dockerfile, with your model.py and data beside the code",
    )
    image_pull_policy: str = Field("IfNotPresent", pattern="^(Always|IfNotPresent|Never)$")
    steps: dict[str, StepConfig] = Field(STEPS, description="by display name")
    enable_caching: bool = Field(
        True, description="whether a step reuses its earlier result if nothing has changed"
    )
    pipeline_root: str | None = Field(
        None,
        pattern="^(gs|s3|minio)://",
        description="where KFP keeps artifacts; null: its own default",
    )
    service_account: str | None = Field(None, description="the ServiceAccount of the run's pods")
    env: dict[str, str] = Field({}, description="environment of every step, such as AWS_ENDPOINT_URL")
    secrets: dict[str, dict[str, str]] = Field(
        {}, description="Secret to its keys, each with the environment variable that it becomes"
    )
    volumes: dict[str, str] = Field({}, description="PersistentVolumeClaim to the path where it is mounted")
