"""The command line: the flags of `tensorflow_model_server`, by the same names and defaults, and a few of our own."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any, NoReturn

IGNORED = {
    "flush_filesystem_caches": "file caches are left to the system",
    "mixed_precision": "models run as they were exported",
    "num_tflite_pools": "LiteRT interpreters are made as needed",
    "num_tflite_interpreters_per_pool": "LiteRT interpreters are made as needed",
    "num_unload_threads": "versions are unloaded one at a time",
    "per_process_gpu_memory_fraction": "models run on the CPU",
    "platform_config_file": "there is one platform, tensorflow",
    "remove_unused_fields_from_bundle_metagraph": "nothing unused is kept",
    "rest_api_num_threads": "REST needs no threads of its own",
    "skip_initialize_tpu": "models run on the CPU",
    "thread_pool_factory_config_file": "thread pools are not configurable",
    "use_alts_credentials": "use ssl_config_file",
    "xla_cpu_compilation_enabled": "models run as they were exported",
    "xla_gpu_compilation_enabled": "models run as they were exported",
    "tensorflow_session_config_file": "use tensorflow_intra_op_parallelism and tensorflow_inter_op_parallelism",
    "force_allow_any_version_labels_for_unavailable_models": "use allow_version_labels_for_unavailable_models",
}
"""Flags of TensorFlow Serving that are accepted, with a notice, because they mean nothing here."""


def _flag(default: Any, text: str) -> Any:
    return field(default=default, metadata={"help": text})


@dataclass(frozen=True)
class Flags:
    """What the server was told."""

    port: int = _flag(8500, "port of the gRPC API; 0 for none")
    grpc_socket_path: str = _flag("", "a Unix socket on which gRPC listens as well")
    rest_api_port: int = _flag(0, "port of the REST API; 0 for none")
    rest_api_timeout_in_ms: int = _flag(30000, "how long a REST call may take")
    rest_api_enable_cors_support: bool = _flag(False, "answer browsers of other origins")
    model_name: str = _flag("default", "name of the single model; ignored with model_config_file")
    model_base_path: str = _flag("", "folder, s3:// or gs:// URL that holds the model's versions")
    model_config_file: str = _flag("", "ModelServerConfig as protobuf text, for several models")
    model_config_file_poll_wait_seconds: int = _flag(0, "how often that file is read again; 0 for never")
    file_system_poll_wait_seconds: int = _flag(1, "how often versions are looked for; 0 once, negative never")
    saved_model_tags: str = _flag("serve", "tags of the SavedModel's graph, separated by commas")
    prefer_tflite_model: bool = _flag(False, "serve model.tflite where a version holds both")
    enable_batching: bool = _flag(False, "join requests to batches")
    batching_parameters_file: str = _flag("", "BatchingParameters as protobuf text; needs enable_batching")
    enable_per_model_batching_parameters: bool = _flag(
        False, "let batching_params.pbtxt in a version's folder override the batching parameters"
    )
    max_num_load_retries: int = _flag(5, "how often a failed load is tried again")
    load_retry_interval_micros: int = _flag(
        60_000_000, "how long to wait before that; negative for not at all"
    )
    num_load_threads: int = _flag(0, "how many versions are loaded at once; 0 for four per CPU")
    allow_version_labels_for_unavailable_models: bool = _flag(
        False, "accept new labels for versions not loaded"
    )
    enable_model_warmup: bool = _flag(True, "replay a version's warm-up requests before it is served")
    num_request_iterations_for_warmup: int = _flag(0, "how often each is replayed; 0 for once")
    monitoring_config_file: str = _flag(
        "", "MonitoringConfig as protobuf text: whether and where metrics are"
    )
    ssl_config_file: str = _flag("", "SSLConfig as protobuf text, with the keys in it: TLS for gRPC")
    grpc_channel_arguments: str = _flag("", "gRPC channel arguments: name=value, separated by commas")
    grpc_max_threads: int = _flag(0, "how many model calls run at once; 0 for one per CPU")
    enable_grpc_healthcheck_service: bool = _flag(False, "offer grpc.health.v1")
    enable_serialization_as_tensor_content: bool = _flag(False, "answer with packed tensor_content")
    enable_signature_method_name_check: bool = _flag(
        False, "Classify and Regress insist on the method's name"
    )
    enable_profiler: bool = _flag(True, "offer TensorFlow's profiler on the gRPC port")
    tensorflow_session_parallelism: int = _flag(0, "threads inside and across operations, both")
    tensorflow_intra_op_parallelism: int = _flag(0, "threads inside an operation; 0 for one")
    tensorflow_inter_op_parallelism: int = _flag(0, "threads across operations; 0 for the caller's own")
    version: bool = _flag(False, "print versions and leave")
    # From here on ours.
    rest_api_enable_ssl: bool = _flag(False, "use ssl_config_file for REST as well")
    auth_token_file: str = _flag("", "file of bearer tokens, one a line; calls without one are refused")
    access_log: str = _flag(
        "none", "none, or json: a line for each call, with ECS fields, on standard output"
    )
    max_request_bytes: int = _flag(2**31 - 1, "largest REST body or gRPC message")
    max_tensor_elements: int = _flag(0, "most elements in one input; 0 for any number")
    max_batch_rows: int = _flag(0, "most rows in one request; 0 for any number")
    model_cache_dir: str = _flag("", "where versions of buckets are copied to; empty for a temporary folder")
    preserve_resources: bool = _flag(False, "unload the old version before the new one is loaded")
    litert_threads: int = _flag(1, "threads of one LiteRT call")
    drain_seconds: int = _flag(30, "how long calls in flight may take to finish after SIGTERM")
    request_log_max_megabytes: int = _flag(1024, "how much the request log may hold on disk, for each model")


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}\nSee {self.prog} --help for the flags.\n")


def parse(arguments: Sequence[str]) -> tuple[Flags, list[str]]:
    """Reads a command line.

    Returns:
        The flags, and a notice for each one that means nothing here.

    Raises:
        SystemExit: for a flag that is unknown or cannot be read, after saying so.
    """
    parser = _Parser(
        prog="python -m serving.serve",
        description="Serves models as tensorflow_model_server does.",
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
