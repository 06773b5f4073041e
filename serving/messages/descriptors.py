"""`descriptors.binpb`: descriptions of the messages that `serving.messages.protos` has, for where TensorFlow is not.

It is a FileDescriptorSet, made from the installed packages by `python -m serving.messages.descriptors`.
"""

from functools import cache
from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pb2

DESCRIPTORS = Path(__file__).with_name("descriptors.binpb")


@cache
def read_descriptors() -> dict[str, Any]:
    """The description of each .proto file by its name."""
    return {
        file.name: file for file in descriptor_pb2.FileDescriptorSet.FromString(DESCRIPTORS.read_bytes()).file
    }


def make_descriptors() -> bytes:
    """What `descriptors.binpb` is to hold: the files of all messages in `protos`, each after those that it imports."""
    from serving.messages import protos  # late: it reads this module's file

    files: dict[str, Any] = {}

    def visit(file: Any) -> None:
        if file.name in files or file.name.startswith("google/"):  # those come with protobuf itself
            return
        for imported in file.dependencies:
            visit(imported)
        files[file.name] = descriptor_pb2.FileDescriptorProto.FromString(file.serialized_pb)

    for name in sorted(vars(protos)):
        if name.endswith("_pb2"):
            visit(getattr(protos, name).DESCRIPTOR)
    data: bytes = descriptor_pb2.FileDescriptorSet(file=files.values()).SerializeToString(deterministic=True)
    return data


if __name__ == "__main__":
    DESCRIPTORS.write_bytes(make_descriptors())
