"""TensorFlow's and TensorFlow Serving's messages, without TensorFlow.

If the `tensorflow` package is installed, its message modules are imported, so that each message has only one class in
a process. Through the package's `__init__` they would import all of TensorFlow: seconds, and hundreds of megabytes,
for nothing when a LiteRT model is served. So during their import an empty package with the same name and path replaces
it. The message modules stay loaded; a later `import tensorflow` imports the real package, which finds them there.
If it is not installed, the same messages are created from `descriptors.binpb`; TensorFlow Serving's also if only
`tensorflow-serving-api` is missing.

`prediction_service_pb2` and `model_service_pb2` of the pinned release do not work with current protobuf; nothing
here needs them, because the gRPC services are registered by method name (`serving.rpc`).
"""

import importlib
import importlib.util
import sys
import types
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from google.protobuf import descriptor_pool, message_factory

from serving.messages.descriptors import read_descriptors

_SPECS = {name: importlib.util.find_spec(name) for name in ("tensorflow", "tensorflow_serving")}
# An uninstalled package can leave a folder behind, which has a spec too, but no file to import.
_INSTALLED = {"google", *(name for name, spec in _SPECS.items() if spec and spec.origin)}
if "tensorflow" not in _INSTALLED:
    _INSTALLED.discard("tensorflow_serving")  # its modules import TensorFlow's


@contextmanager
def _without_tensorflow() -> Iterator[None]:
    spec = _SPECS["tensorflow"]
    if "tensorflow" in sys.modules or "tensorflow" not in _INSTALLED or spec is None:
        yield
        return
    stand_in = types.ModuleType("tensorflow")
    stand_in.__path__ = list(spec.submodule_search_locations or ())
    sys.modules["tensorflow"] = stand_in
    try:
        yield
    finally:
        del sys.modules["tensorflow"]


def _messages(file_name: str) -> Any:
    """Return the messages of a .proto file: its module if it is installed, otherwise a namespace like that module."""
    if file_name.partition("/")[0] in _INSTALLED:
        return importlib.import_module(file_name.removesuffix(".proto").replace("/", ".") + "_pb2")
    pool = descriptor_pool.Default()
    try:
        file = pool.FindFileByName(file_name)
    except KeyError:
        declared = read_descriptors()[file_name]
        for imported in declared.dependency:
            _messages(imported)
        file = pool.AddSerializedFile(declared.SerializeToString())
    classes = {
        name: message_factory.GetMessageClass(message) for name, message in file.message_types_by_name.items()
    }
    numbers = {value.name: value.number for enum in file.enum_types_by_name.values() for value in enum.values}
    return types.SimpleNamespace(DESCRIPTOR=file, **classes, **numbers)


with _without_tensorflow():
    example_pb2 = _messages("tensorflow/core/example/example.proto")
    feature_pb2 = _messages("tensorflow/core/example/feature.proto")
    tensor_pb2 = _messages("tensorflow/core/framework/tensor.proto")
    tensor_shape_pb2 = _messages("tensorflow/core/framework/tensor_shape.proto")
    types_pb2 = _messages("tensorflow/core/framework/types.proto")
    meta_graph_pb2 = _messages("tensorflow/core/protobuf/meta_graph.proto")
    saved_model_pb2 = _messages("tensorflow/core/protobuf/saved_model.proto")
    classification_pb2 = _messages("tensorflow_serving/apis/classification.proto")
    get_model_metadata_pb2 = _messages("tensorflow_serving/apis/get_model_metadata.proto")
    get_model_status_pb2 = _messages("tensorflow_serving/apis/get_model_status.proto")
    inference_pb2 = _messages("tensorflow_serving/apis/inference.proto")
    input_pb2 = _messages("tensorflow_serving/apis/input.proto")
    model_management_pb2 = _messages("tensorflow_serving/apis/model_management.proto")
    model_pb2 = _messages("tensorflow_serving/apis/model.proto")
    predict_pb2 = _messages("tensorflow_serving/apis/predict.proto")
    prediction_log_pb2 = _messages("tensorflow_serving/apis/prediction_log.proto")
    regression_pb2 = _messages("tensorflow_serving/apis/regression.proto")
    logging_config_pb2 = _messages("tensorflow_serving/config/logging_config.proto")
    model_server_config_pb2 = _messages("tensorflow_serving/config/model_server_config.proto")
