"""Configuration of the canary."""

from typing import Literal

from pydantic import Field, model_validator

from components.config import Section


class CanaryConfig(Section):
    """How the candidate is tried in a server, and the limits it must keep."""

    enabled: bool = True
    server: Literal["slipway", "binary", "container"] = Field(
        "slipway", description="our own server; a tensorflow_model_server binary; or a container image of it"
    )
    binary: str = Field("tensorflow_model_server", description="path of the binary, if server is 'binary'")
    image: str = Field("", description="the image, if server is 'container'")
    engine: str = Field("docker", description="what runs it: docker or podman")
    startup_seconds: float = Field(60.0, gt=0, description="how long loading may take")
    golden_requests: int = Field(
        64,
        ge=1,
        description="how many examples are sent, and their answers compared with the offline predictions",
    )
    float_tolerance: float = Field(
        1e-4, ge=0, description="largest difference of a DT_FLOAT or DT_DOUBLE output, absolute and relative"
    )
    half_tolerance: float = Field(
        1e-2, ge=0, description="the same for half precision; integers and strings must be equal"
    )
    loop_seconds: float = Field(
        1.0, gt=0, description="how long latency is measured, for each of REST and gRPC"
    )
    clients: int = Field(1, ge=1, description="how many clients send requests at once meanwhile")
    p50_ms: float = Field(
        100.0, gt=0, description="limit of the median latency of a single request, milliseconds"
    )
    p99_ms: float = Field(500.0, gt=0, description="limit of its 99th percentile")

    @model_validator(mode="after")
    def _image_is_named(self) -> "CanaryConfig":
        if self.server == "container" and not self.image:
            raise ValueError("canary.image is empty: name the image, because canary.server is 'container'")
        return self
