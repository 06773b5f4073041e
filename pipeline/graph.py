"""The graph: every stage and what it reads, top to bottom. The one definition that every runner runs."""

import json
from pathlib import Path
from typing import Any

from tensorflow_data_validation import StatsOptions
from tfx.components import ExampleValidator, StatisticsGen, Trainer, Transform
from tfx.orchestration import metadata
from tfx.orchestration import pipeline as tfx_pipeline
from tfx.proto import trainer_pb2, transform_pb2

from components.canary.component import Canary
from components.code import code_digest
from components.evaluate.baseline import LatestRelease
from components.evaluate.component import Evaluator
from components.ingest.component import Ingest
from components.ingest.split import split_rule
from components.optimize.component import Optimizer
from components.push.component import Pusher
from components.schema.component import SchemaGen
from components.validate.component import DataGate
from pipeline.beam import batch_by_bytes, pipeline_args
from pipeline.config import Config


def build(config: Config) -> list[Any]:
    """Make the stages of a configuration, in the order in which they run."""
    user_model = _user_files(config.model.module)
    user_preprocess = _user_files(config.preprocess.module)
    # Beam's workers load it too, wherever they were started.
    preprocess = config.preprocess.model_copy(
        update={"module": str(user_preprocess[0].absolute())} if user_preprocess else {}
    )
    label = config.data.label
    rule = json.dumps(split_rule(config.data, config.preprocess.inputs))
    compared = filter(None, (config.schema_.serving_statistics, config.schema_.previous_statistics))

    ingest = Ingest(
        config.data,
        inputs=config.preprocess.inputs,
        code_digest=code_digest("components.ingest.component"),
    )
    # TFDV interpolates 100 times as many quantiles, in Python, for each number's histogram: with its 10, half a stage.
    quartiles = StatsOptions(num_quantiles_histogram_buckets=4)
    statistics = StatisticsGen(examples=ingest.outputs["examples"], stats_options=quartiles)
    schema = SchemaGen(
        statistics=statistics.outputs["statistics"],
        schema_path=str(config.schema_path),
        inferred_path=str(config.inferred_schema_path),
        label=label,
        classes=json.dumps(config.data.classes),
        schema_config=config.schema_.model_dump_json(),
        optional=json.dumps(list(config.preprocess.missing)),
        read=json.dumps(config.read_columns),
        code_digest=code_digest("components.schema.component"),
    )
    anomalies = ExampleValidator(statistics=statistics.outputs["statistics"], schema=schema.outputs["schema"])
    data_gate = DataGate(
        statistics=statistics.outputs["statistics"],
        schema=schema.outputs["schema"],
        anomalies=anomalies.outputs["anomalies"],
        schema_config=config.schema_.model_dump_json(),
        read=json.dumps(config.read_columns),
        named_classes=json.dumps(config.named_classes),
        code_digest=code_digest("components.validate.component", files=compared),
    )
    transform = Transform(
        examples=ingest.outputs["examples"],
        schema=schema.outputs["schema"],
        preprocessing_fn="components.preprocess.transform.preprocessing_fn",
        custom_config={
            "config": preprocess.model_dump_json(),
            "label": label,
            "code_digest": code_digest(
                "components.preprocess.transform", user=user_preprocess, without="build_model"
            ),
        },
        splits_config=transform_pb2.SplitsConfig(analyze=["train"], transform=["train", "eval"]),
        disable_statistics=True,  # they would repeat StatisticsGen, at half of Transform's time
        disable_analyzer_cache=True,
    )
    # The list below is the order here; a runner that runs stages in parallel goes by edges alone.
    transform.add_upstream_node(data_gate)
    trainer_code = code_digest("components.train.run", user=user_model)
    trainer = Trainer(
        examples=transform.outputs["transformed_examples"],
        transform_graph=transform.outputs["transform_graph"],
        schema=schema.outputs["schema"],
        run_fn="components.train.run.run_fn",
        train_args=trainer_pb2.TrainArgs(splits=["train"]),
        eval_args=trainer_pb2.EvalArgs(splits=["eval"]),
        custom_config={
            "model": config.model.model_dump_json(),
            "train": config.train.model_dump_json(),
            "inputs": json.dumps(config.preprocess.inputs),
            "label": label,
            "checkpoints": str(config.checkpoint_folder.absolute()),
            "code_digest": trainer_code,
        },
    )
    baseline = LatestRelease(
        model=trainer.outputs["model"],
        bucket=config.push.bucket,
        model_name=config.model_name,
        code_digest=code_digest("components.evaluate.baseline"),
    )
    evaluator = Evaluator(
        examples=ingest.outputs["examples"],
        schema=schema.outputs["schema"],
        model=trainer.outputs["model"],
        baseline=baseline.outputs["baseline"],
        evaluate_config=config.evaluate.model_dump_json(),
        split=config.evaluation_split,
        split_rule=rule,
        label=label,
        code_digest=code_digest("components.evaluate.component"),
    )
    stages = [ingest, statistics, schema, anomalies, data_gate, transform, trainer, baseline, evaluator]
    released = trainer.outputs["model"]
    verdicts = {
        "data_verdict": data_gate.outputs["verdict"],
        "model_verdict": evaluator.outputs["verdict"],
    }
    if config.optimize.enabled:
        optimizer = Optimizer(
            examples=ingest.outputs["examples"],
            transformed_examples=transform.outputs["transformed_examples"],
            transform_graph=transform.outputs["transform_graph"],
            schema=schema.outputs["schema"],
            model=trainer.outputs["model"],
            optimize_config=config.optimize.model_dump_json(),
            evaluate_config=config.evaluate.model_dump_json(),
            preprocess_config=config.preprocess.model_dump_json(),
            model_name=config.model_name,
            module=config.model.module,
            push_format=config.push.format,
            split=config.evaluation_split,
            label=label,
            code_digest=code_digest(
                "components.optimize.component",
                user=_user_files(*config.optimize.modules.values(), config.optimize.distilled.module or ""),
            ),
        )
        optimizer.add_upstream_node(evaluator)  # nothing is optimized that Gate 1 refuses
        stages.append(optimizer)
        released = optimizer.outputs["optimized"]
        verdicts["optimize_verdict"] = optimizer.outputs["verdict"]
    if config.canary.enabled:
        canary = Canary(
            model=released,
            examples=ingest.outputs["examples"],
            canary_config=config.canary.model_dump_json(),
            split=config.evaluation_split,
            code_digest=code_digest("components.canary.component"),
        )
        canary.add_upstream_node(evaluator)  # nor is it tried in a server
        stages.append(canary)
        verdicts["canary_verdict"] = canary.outputs["verdict"]
    pusher = Pusher(
        model=released,
        examples=ingest.outputs["examples"],
        schema=schema.outputs["schema"],
        **verdicts,
        model_name=config.model_name,
        push_config=config.push.model_dump_json(),
        label=label,
        split_rule=rule,
        lineage=json.dumps(
            {"config": config.model_dump(mode="json", by_alias=True), "trainer_code": trainer_code}
        ),
        code_digest=code_digest("components.push.component"),
    )
    return [*stages, pusher]


def make_pipeline(config: Config) -> Any:
    """Make the TFX pipeline of a configuration, for the local runner.

    Raises:
        RunnerError: Beam's workers cannot be sent this code.
    """
    batch_by_bytes()
    root = config.root.absolute()
    root.mkdir(parents=True, exist_ok=True)
    return tfx_pipeline.Pipeline(
        pipeline_name=config.model_name,
        pipeline_root=str(root),
        components=build(config),
        enable_cache=True,
        metadata_connection_config=metadata.sqlite_metadata_connection_config(str(root / "metadata.sqlite")),
        beam_pipeline_args=pipeline_args(config.beam, root / "beam"),
    )


def _user_files(*modules: str) -> list[Path]:
    """Return those of some modules that are files of the user's, and not built in."""
    return [Path(module) for module in modules if module.endswith(".py")]
