"""The command line: the flags of `tensorflow_model_server`, with the same names and defaults, and a few of our own."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any, NoReturn

IGNORED = {
    "flush_filesystem_caches": "file caches are left to the operating system",
    "mixed_precision": "models run as they were exported",
    "num_tflite_pools": "LiteRT interpreters are created as needed",
    "num_tflite_interpreters_per_pool": "LiteRT interpreters are created as needed",
    "num_unload_threads": "each version is unloaded in a thread of its own",
    "per_process_gpu_memory_fraction": "models run on the CPU",
    "platform_config_file": "the only platform is tensorflow",
    "remove_unused_fields_from_bundle_metagraph": "unused fields are never kept",
    "rest_api_num_threads": "REST needs no threads of its own",
    "skip_initialize_tpu": "models run on the CPU",
    "thread_pool_factory_config_file": "thread pools are not configurable",
    "use_alts_credentials": "use ssl_config_file",
    "xla_cpu_compilation_enabled": "models run as they were exported",
    "xla_gpu_compilation_enabled": "models run as they were exported",
    "tensorflow_session_config_file": "use tensorflow_intra_op_parallelism and tensorflow_inter_op_parallelism",
    "force_allow_any_version_labels_for_unavailable_models": "use allow_version_labels_for_unavailable_models",
}
"""Flags of TensorFlow Serving that are accepted, with a notice, but have no effect here."""


def _flag(default: Any, text: str) -> Any:
    return field(default=default, metadata={"help": text})


@dataclass(frozen=True)
class Flags:
    """The values of all flags."""

    host: str = _flag("", "address to listen on; without it every interface, IPv4 and IPv6")
    port: int = _flag(8500, "port of the gRPC API; 0 disables it")
    grpc_socket_path: str = _flag("", "Unix socket for the gRPC API, in addition to the port")
    rest_api_port: int = _flag(0, "port of the REST API; 0 disables it")
    rest_api_timeout_in_ms: int = _flag(30000, "timeout of a REST call")
    rest_api_enable_cors_support: bool = _flag(False, "allow cross-origin requests from browsers")
    model_name: str = _flag("default", "name of the single model; ignored with model_config_file")
    model_base_path: str = _flag("", "folder, or s3:// or gs:// URL, with the model's versions")
    model_config_file: str = _flag("", "file with a ModelServerConfig as protobuf text, for several models")
    model_config_file_poll_wait_seconds: int = _flag(0, "time between reloads of that file; 0 for never")
    file_system_poll_wait_seconds: int = _flag(
        1, "time between checks for new versions; 0 for a single check, negative for none"
    )
    saved_model_tags: str = _flag("serve", "tags of the SavedModel's graph, separated by commas")
    prefer_tflite_model: bool = _flag(False, "serve model.tflite if a version has both formats")
    enable_batching: bool = _flag(False, "combine requests into batches")
    batching_parameters_file: str = _flag(
        "", "file with BatchingParameters as protobuf text; needs enable_batching"
    )
    enable_per_model_batching_parameters: bool = _flag(
        False, "let batching_params.pbtxt in a version's folder override the batching parameters"
    )
    max_num_load_retries: int = _flag(5, "how many times a failed load is retried")
    load_retry_interval_micros: int = _flag(
        60_000_000, "how long to wait before a retry; negative for no wait"
    )
    num_load_threads: int = _flag(0, "how many versions load in parallel; 0 for four per CPU")
    allow_version_labels_for_unavailable_models: bool = _flag(
        False, "accept new labels for versions that are not loaded"
    )
    enable_model_warmup: bool = _flag(True, "replay a version's warm-up requests before it is served")
    num_request_iterations_for_warmup: int = _flag(0, "how many times each is replayed; 0 for once")
    monitoring_config_file: str = _flag(
        "", "file with a MonitoringConfig as protobuf text: whether metrics are served, and on which path"
    )
    ssl_config_file: str = _flag(
        "", "file with an SSLConfig as protobuf text, keys included: enables TLS for gRPC"
    )
    grpc_channel_arguments: str = _flag("", "gRPC channel arguments: name=value, separated by commas")
    grpc_max_threads: int = _flag(0, "how many model calls run in parallel; 0 for one per CPU")
    enable_grpc_healthcheck_service: bool = _flag(False, "serve grpc.health.v1")
    enable_serialization_as_tensor_content: bool = _flag(
        False, "serialize response tensors as tensor_content"
    )
    enable_signature_method_name_check: bool = _flag(
        False, "Classify and Regress require the signature's method name"
    )
    enable_profiler: bool = _flag(True, "serve TensorFlow's profiler on the gRPC port")
    tensorflow_session_parallelism: int = _flag(0, "threads within, and also across, operations")
    tensorflow_intra_op_parallelism: int = _flag(0, "threads within an operation; 0 for one")
    tensorflow_inter_op_parallelism: int = _flag(0, "threads across operations; 0 for the caller's thread")
    version: bool = _flag(False, "print versions and exit")
    # The rest are our own.
    rest_api_enable_ssl: bool = _flag(False, "use ssl_config_file for REST as well")
    auth_token_file: str = _flag("", "file with bearer tokens, one per line; calls without one are refused")
    admin_token_file: str = _flag(
        "", "file with the tokens of those who may change the configuration (HandleReloadConfigRequest)"
    )
    allow_remote_reload: bool = _flag(
        False, "without tokens: take a new configuration from other machines too, not just from this one"
    )
    access_log: str = _flag("none", "none, or json: one line per call, with ECS fields, on standard output")
    max_request_bytes: int = _flag(2**31 - 1, "maximum size of a REST body or gRPC message")
    max_inflight_bytes: int = _flag(
        0,
        "how many bytes of requests and answers the server holds at once; what does not fit gets 503 or "
        "RESOURCE_EXHAUSTED; 0 for a quarter of the memory of the machine or container",
    )
    max_tensor_elements: int = _flag(0, "maximum number of elements in one input; 0 for no limit")
    max_batch_rows: int = _flag(0, "maximum number of rows in one request; 0 for no limit")
    model_cache_dir: str = _flag("", "folder for versions downloaded from buckets; empty for a temporary one")
    preserve_resources: bool = _flag(False, "unload the old version before loading the new one")
    litert_threads: int = _flag(1, "threads per LiteRT call")
    drain_seconds: int = _flag(30, "how long calls in flight may take to finish after SIGTERM")
    request_log_max_megabytes: int = _flag(1024, "maximum size of the request log on disk, per model")


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}\nSee {self.prog} --help for the flags.\n")


def parse(arguments: Sequence[str]) -> tuple[Flags, list[str]]:
    """Parse a command line.

    Returns:
        The flags, and a notice for each one that has no effect.

    Raises:
        SystemExit: a flag is unknown or its value is invalid; the error has been printed.
    """
    parser = _Parser(
        prog="python -m serving.serve",
        description="A model server with the flags and APIs of tensorflow_model_server.",
        allow_abbrev=False,
    )
    for flag in fields(Flags):
        kind: Any = flag.type
        text = f"{flag.metadata['help']} (default: {flag.default!r})".replace("%", "%%")
        if kind is bool:
            parser.add_argument(f"--{flag.name}", type=_truth, nargs="?", const=True, help=text)
        else:
            parser.add_argument(f"--{flag.name}", type=kind, help=text)
    for name in IGNORED:
        parser.add_argument(f"--{name}", nargs="?", const="true", help=argparse.SUPPRESS)
    given = vars(parser.parse_args(list(arguments)))
    notices = [
        f"--{name} has no effect: {IGNORED[name]}" for name in IGNORED if given.pop(name, None) is not None
    ]
    return Flags(**{name: value for name, value in given.items() if value is not None}), notices


def _truth(text: str) -> bool:
    if text.lower() in ("true", "1"):
        return True
    if text.lower() in ("false", "0"):
        return False
    raise argparse.ArgumentTypeError(f"{text!r} is not true, false, 1 or 0")
