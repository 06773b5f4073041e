"""Reads `descriptors.binpb`: descriptions of the messages in `serving.messages.protos`, for where TensorFlow is not.

It is a FileDescriptorSet; `serving.messages.generate` makes it.
"""

from functools import cache
from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pb2

DESCRIPTORS = Path(__file__).with_name("descriptors.binpb")


@cache
def read_descriptors() -> dict[str, Any]:
    """Return the description of each .proto file by its name."""
    files = descriptor_pb2.FileDescriptorSet.FromString(DESCRIPTORS.read_bytes()).file
    return {file.name: file for file in files}
