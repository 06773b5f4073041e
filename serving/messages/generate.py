"""`python -m serving.messages.generate` writes `descriptors.binpb` from what the installed packages declare."""

from typing import Any

from google.protobuf import descriptor_pb2

from serving.messages import protos
from serving.messages.descriptors import DESCRIPTORS


def make_descriptors() -> bytes:
    """Return the serialized FileDescriptorSet of all files in `protos`, each after those that it imports."""
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
