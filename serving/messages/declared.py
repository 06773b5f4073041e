"""Messages of TensorFlow Serving that no wheel ships, declared here by their field numbers."""

from collections.abc import Mapping, Sequence
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, wrappers_pb2

_FIELD = descriptor_pb2.FieldDescriptorProto
_SCALARS = {
    "bool": _FIELD.TYPE_BOOL,
    "bytes": _FIELD.TYPE_BYTES,
    "int32": _FIELD.TYPE_INT32,
    "int64": _FIELD.TYPE_INT64,
    "string": _FIELD.TYPE_STRING,
    "uint32": _FIELD.TYPE_UINT32,
    "uint64": _FIELD.TYPE_UINT64,
}
_INT64 = ".google.protobuf.Int64Value"

# A field is a number and a type: a scalar's name, a message's full name after a dot, or such a name after "enum ";
# "repeated " comes before the type of a repeated field.
_SERVING = {
    "BatchingParameters": {
        "max_batch_size": (1, _INT64),
        "batch_timeout_micros": (2, _INT64),
        "max_enqueued_batches": (3, _INT64),
        "num_batch_threads": (4, _INT64),
        "thread_pool_name": (5, ".google.protobuf.StringValue"),
        "allowed_batch_sizes": (6, "repeated int64"),
        "pad_variable_length_inputs": (7, "bool"),
        "enable_large_batch_splitting": (8, ".google.protobuf.BoolValue"),
        "max_execution_batch_size": (9, _INT64),
    },
    "SSLConfig": {
        "server_key": (1, "string"),
        "server_cert": (2, "string"),
        "custom_ca": (3, "string"),
        "client_verify": (4, "bool"),
    },
    "PrometheusConfig": {"enable": (1, "bool"), "path": (2, "string")},
    "MonitoringConfig": {"prometheus_config": (1, ".tensorflow.serving.PrometheusConfig")},
}


def declare(
    file_name: str,
    package: str,
    messages: Mapping[str, Mapping[str, tuple[int, str]]],
    imports: Sequence[str] = (),
    enums: Mapping[str, Sequence[str]] | None = None,
    services: Mapping[str, Mapping[str, tuple[str, str]]] | None = None,
) -> dict[str, Any]:
    """Create message classes from a table of fields, and describe services for reflection.

    Args:
        file_name: the name of the .proto file that this replaces.
        package: its package.
        messages: fields by message; a field is its number and type.
        imports: the .proto files that its types come from.
        enums: the names of each enum's values, from 0.
        services: the methods of each service, with the full names of request and response; "stream " comes before
            the name of a streamed one.

    Returns:
        The message classes by name.
    """
    file = descriptor_pb2.FileDescriptorProto(
        name=file_name, package=package, syntax="proto3", dependency=imports
    )
    for enum_name, values in (enums or {}).items():
        enum = file.enum_type.add(name=enum_name)
        for number, value in enumerate(values):
            enum.value.add(name=value, number=number)
    for name, fields in messages.items():
        message = file.message_type.add(name=name)
        for field_name, (number, kind) in fields.items():
            _add_field(message, field_name, number, kind)
    for name, methods in (services or {}).items():
        service = file.service.add(name=name)
        for method, (request, response) in methods.items():
            service.method.add(
                name=method,
                input_type=request.removeprefix("stream "),
                client_streaming=request.startswith("stream "),
                output_type=response.removeprefix("stream "),
                server_streaming=response.startswith("stream "),
            )
    pool = descriptor_pool.Default()
    pool.AddSerializedFile(file.SerializeToString())
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{package}.{name}"))
        for name in messages
    }


def _add_field(message: Any, name: str, number: int, kind: str) -> None:
    plain = kind.removeprefix("repeated ")
    field = message.field.add(name=name, number=number)
    field.label = _FIELD.LABEL_OPTIONAL if plain == kind else _FIELD.LABEL_REPEATED
    if plain.startswith("enum "):
        field.type, field.type_name = _FIELD.TYPE_ENUM, plain.removeprefix("enum ")
    elif plain.startswith("."):
        field.type, field.type_name = _FIELD.TYPE_MESSAGE, plain
    else:
        field.type = _SCALARS[plain]


_classes = declare(
    "slipway/serving_config.proto", "tensorflow.serving", _SERVING, (wrappers_pb2.DESCRIPTOR.name,)
)
BatchingParameters: Any = _classes["BatchingParameters"]
SSLConfig: Any = _classes["SSLConfig"]
MonitoringConfig: Any = _classes["MonitoringConfig"]
