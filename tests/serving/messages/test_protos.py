"""The messages are the same ones whether TensorFlow is installed or not."""

import json
import subprocess
import sys
from typing import Any

import pytest

from serving.messages.descriptors import DESCRIPTORS
from serving.messages.generate import make_descriptors
from tests.conftest import REPOSITORY

# What a process has to say of its messages: their names, a request in bytes, and what reflection tells of them.
TELL = """
import json, sys
for name in sys.argv[1:]:
    sys.modules[name] = None  # Python's own way to say that there is no such module
from serving.messages import protos
from serving.rpc import reflection
request = protos.predict_pb2.PredictRequest()
request.model_spec.version_label = "stable"
request.inputs["x"].CopyFrom(protos.tensor_pb2.TensorProto(dtype=protos.types_pb2.DT_HALF, half_val=[1, 2]))
names = {
    name: sorted(message.full_name for message in value.DESCRIPTOR.message_types_by_name.values())
    for name, value in vars(protos).items() if name.endswith("_pb2")
}
question = reflection.ServerReflectionRequest(file_containing_symbol="tensorflow.serving.PredictionService")
files = reflection.answer(question, []).file_descriptor_response.file_descriptor_proto
print(json.dumps([names, request.SerializeToString(deterministic=True).hex(), sorted(f.hex() for f in files)]))
print(protos.tensor_pb2.TensorProto.__module__, protos.predict_pb2.PredictRequest.__module__)
"""


def _tell(*missing: str) -> tuple[Any, str]:
    done = subprocess.run(
        [sys.executable, "-c", TELL, *missing], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    told, modules = done.stdout.splitlines()
    return json.loads(told), modules


def test_the_file_holds_what_the_installed_packages_declare() -> None:
    assert make_descriptors() == DESCRIPTORS.read_bytes(), "run: python -m serving.messages.generate"


@pytest.mark.parametrize(
    ("missing", "tensor", "predict"),
    [
        (("tensorflow", "tensorflow_serving"), "None", "None"),
        (("tensorflow",), "None", "None"),
        (("tensorflow_serving",), "tensorflow.core.framework.tensor_pb2", "None"),
    ],
)
def test_they_are_the_same_where_a_package_is_missing(
    missing: tuple[str, ...], tensor: str, predict: str
) -> None:
    whole, modules = _tell()
    assert modules == "tensorflow.core.framework.tensor_pb2 tensorflow_serving.apis.predict_pb2"
    assert _tell(*missing) == (whole, f"{tensor} {predict}")
