"""Reads the signatures that older tools stored in `.tflite` files, as TensorFlow Serving does.

They are a FlexBuffer map of serialized SignatureDefs, in the metadata entry `signature_defs_metadata` of the file.
LiteRT's own interpreter reads only the newer signature table.
"""

from flatbuffers import flexbuffers, number_types  # type: ignore[import-untyped]
from flatbuffers.table import Table  # type: ignore[import-untyped]

_NAME = b"signature_defs_metadata"
# Slots of the tables in the TFLite schema, as offsets into their vtables: field number × 2 + 4.
_MODEL_BUFFERS, _MODEL_METADATA = 12, 16
_METADATA_NAME, _METADATA_BUFFER = 4, 6
_BUFFER_DATA = 4


def stored_signatures(content: bytes) -> dict[str, bytes]:
    """Return the serialized SignatureDefs of a LiteRT file by name; empty if it has none."""
    model = Table(content, int.from_bytes(content[:4], "little"))
    buffers = _tables(model, _MODEL_BUFFERS)
    for metadata in _tables(model, _MODEL_METADATA):
        slot = metadata.Offset(_METADATA_NAME)
        if not slot or metadata.String(slot + metadata.Pos) != _NAME:
            continue
        slot = metadata.Offset(_METADATA_BUFFER)
        index = metadata.Get(number_types.Uint32Flags, slot + metadata.Pos) if slot else 0
        stored = flexbuffers.GetRoot(_bytes(buffers[index])).AsMap
        pairs = zip(stored.Keys, stored.Values, strict=True)
        return {str(key.AsKey): bytes(value.AsStringBytes) for key, value in pairs}
    return {}


def _tables(parent: Table, slot: int) -> list[Table]:
    offset = parent.Offset(slot)
    if not offset:
        return []
    start, length = parent.Vector(offset), parent.VectorLen(offset)
    return [Table(parent.Bytes, parent.Indirect(start + 4 * i)) for i in range(length)]


def _bytes(buffer: Table) -> bytes:
    offset = buffer.Offset(_BUFFER_DATA)
    if not offset:
        return b""
    start = buffer.Vector(offset)
    return bytes(buffer.Bytes[start : start + buffer.VectorLen(offset)])
