"""Turns flags into the options of the server's parts, and rejects invalid combinations."""

import os
from pathlib import Path

from serving.engine.open import EngineOptions
from serving.flags import Flags
from serving.inference.batching_options import BatchingOptions, read_batching
from serving.manager.loader import LoadOptions, WarmUp
from serving.manager.model_config import ServedModel, read_model_config, validate
from serving.manager.options import ManagerOptions
from serving.messages.declared import MonitoringConfig
from serving.messages.text_config import ServerConfigError, read_text
from serving.ops.limits import Limits
from serving.ops.memory import usable_memory
from serving.ops.metrics import Metrics
from serving.rest.app import RestOptions
from serving.transport.inflight import Inflight

OWN_BATCHING = "batching_params.pbtxt"
METRICS_PATH = "/monitoring/prometheus/metrics"


def check(flags: Flags) -> None:
    """Raise ServerConfigError for invalid flags or combinations, naming them."""
    if not flags.port and not flags.grpc_socket_path:
        raise ServerConfigError(
            "server_options.port and server_options.grpc_socket_path are not set: set one of them"
        )
    if flags.batching_parameters_file and not flags.enable_batching:
        raise ServerConfigError("--batching_parameters_file needs --enable_batching")
    if flags.access_log not in ("none", "json"):
        raise ServerConfigError(f"--access_log is {flags.access_log!r}: it must be none or json")
    if flags.rest_api_enable_ssl and not flags.ssl_config_file:
        raise ServerConfigError("--rest_api_enable_ssl needs --ssl_config_file")
    pools = (flags.tensorflow_intra_op_parallelism, flags.tensorflow_inter_op_parallelism)
    if flags.tensorflow_session_parallelism and any(pools):
        raise ServerConfigError(
            "set either --tensorflow_session_parallelism or --tensorflow_intra_op_parallelism and "
            "--tensorflow_inter_op_parallelism, not both"
        )
    for name in ("port", "rest_api_port"):
        if not 0 <= getattr(flags, name) <= 65535:
            raise ServerConfigError(f"--{name}={getattr(flags, name)} must be between 0 and 65535")
    if flags.max_inflight_bytes < 0:
        raise ServerConfigError(f"--max_inflight_bytes={flags.max_inflight_bytes} must not be negative")
    for name in ("rest_api_timeout_in_ms", "max_request_bytes"):
        if getattr(flags, name) <= 0:
            raise ServerConfigError(f"--{name}={getattr(flags, name)} must be greater than 0")


def models(flags: Flags) -> list[ServedModel]:
    """Return the models that the flags configure.

    Raises:
        ServerConfigError: there is none, or the configuration file is invalid.
    """
    if flags.model_config_file:
        return read_model_config(flags.model_config_file)
    if not flags.model_base_path:
        raise ServerConfigError("Both --model_base_path and --model_config_file are empty! Give one of them")
    configs = [ServedModel(flags.model_name, flags.model_base_path)]
    validate(configs)
    return configs


def manager(flags: Flags, cache: Path, warm_up: WarmUp | None, metrics: Metrics) -> ManagerOptions:
    """Return the options of the model manager."""
    both = flags.tensorflow_session_parallelism
    engine = EngineOptions(
        tags=tuple(tag for tag in flags.saved_model_tags.split(",") if tag),
        prefer_litert=flags.prefer_tflite_model,
        intra_op_threads=both or flags.tensorflow_intra_op_parallelism or 1,
        inter_op_threads=both or flags.tensorflow_inter_op_parallelism or -1,
        litert_threads=flags.litert_threads,
    )
    return ManagerOptions(
        load=LoadOptions(engine, cache, warm_up),
        poll_seconds=flags.file_system_poll_wait_seconds,
        max_retries=flags.max_num_load_retries,
        retry_seconds=flags.load_retry_interval_micros / 1e6,
        load_threads=flags.num_load_threads or 4 * (os.cpu_count() or 1),
        preserve_availability=not flags.preserve_resources,
        allow_labels_for_unavailable=flags.allow_version_labels_for_unavailable_models,
        metrics=metrics,
    )


def batching(flags: Flags) -> BatchingOptions | None:
    """Return the batching parameters, which per-model ones replace if enabled; None if batching is off.

    Raises:
        ServerConfigError: the parameters file is invalid.
    """
    if not flags.enable_batching:
        return None
    if flags.batching_parameters_file:
        return read_batching(flags.batching_parameters_file)
    return BatchingOptions()


def own_batching(folder: Path) -> BatchingOptions | None:
    """Return a version's own batching parameters; one without any is not batched, as in TensorFlow Serving.

    Raises:
        ServerConfigError: the parameters are invalid.
    """
    path = folder / OWN_BATCHING
    return read_batching(str(path)) if path.is_file() else None


def rest(flags: Flags) -> RestOptions:
    """Return the options of the REST API.

    Raises:
        ServerConfigError: the monitoring file is invalid.
    """
    path = None
    if flags.monitoring_config_file:
        config = read_text(flags.monitoring_config_file, MonitoringConfig()).prometheus_config
        path = (config.path or METRICS_PATH) if config.enable else None
    return RestOptions(flags.rest_api_timeout_in_ms / 1000, flags.rest_api_enable_cors_support, path)


def limits(flags: Flags) -> Limits:
    """Return the limits of a request."""
    return Limits(flags.max_request_bytes, flags.max_tensor_elements, flags.max_batch_rows)


def inflight(flags: Flags) -> Inflight:
    """Return the budget of bytes in flight."""
    return Inflight(flags.max_inflight_bytes or usable_memory() // 4)
