"""Reads the body of a model call: a small one at once, a large one in another process.

Large is what takes more than some ten milliseconds to read, whatever is in it. Large lists of numbers that are known
already (`numbers.py`) are read at once all the same, as that takes a tenth of the time.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from serving.engine.signature import DEFAULT_SIGNATURE, Signature
from serving.errors import invalid
from serving.inference.examples import INPUTS
from serving.messages.calls import to_tensor
from serving.messages.dtypes import Array
from serving.offload.offload import Offload
from serving.offload.tensors import Packed, pack, unpacked
from serving.rest import decode
from serving.rest.body import check_body, decompressed, encoding_of
from serving.rest.document import Body
from serving.rest.example_json import read_examples
from serving.transport.http1.message import Request

_LARGE = 128 << 10
_LARGE_IF_KNOWN = 4 << 20


@dataclass(frozen=True)
class Call:
    """What a body asks for.

    Attributes:
        signature_name: empty for the default one.
        inputs: tensors by alias; of Classify and Regress, serialized tf.Examples.
        by_row: whether the answer is to be by row ("instances"), and not by column.
        learned: the key and the shape of the list of numbers that the body was, if it was nothing else.
    """

    signature_name: str
    inputs: Mapping[str, Array]
    by_row: bool = True
    learned: tuple[str, tuple[int, ...]] | None = None


class Reader:
    """Reads bodies.

    Args:
        offload: where large ones are read.
        limit: the size of a body, after decompression.
    """

    def __init__(self, offload: Offload, limit: int) -> None:
        self._offload = offload
        self._limit = limit

    def document(self, request: Request) -> Body | None:
        """Return the document of a body if it is small enough to be read at once.

        Raises:
            ServingError: the body is too large, or its encoding is unknown or wrong.
        """
        check_body(request, self._limit)
        data, encoding = request.body, encoding_of(request)
        if request.size > (_LARGE if encoding else _LARGE_IF_KNOWN):
            return None
        if isinstance(data, list):
            data = b"".join(data)
        if encoding:
            data = decompressed(data, min(self._limit, _LARGE), more=self._limit > _LARGE)
        if len(data) <= _LARGE:
            return Body(data)
        if encoding:
            return None
        body = Body(data)
        return body if body.known else None

    async def read(
        self,
        body: Body | None,
        request: Request,
        method: str,
        signatures: Mapping[str, Signature],
        deadline: float,
    ) -> Call:
        """Return what a body asks for.

        Args:
            body: from `document`.
            request: the request.
            method: predict, classify or regress.
            signatures: of the model.
            deadline: on the monotonic clock.

        Raises:
            ServingError: the body is invalid.
        """
        if body is not None and len(body.data) <= _LARGE:
            return read_call(body, method, signatures)
        if body is not None and (known := _known(body, method, signatures)):
            return known
        data, encoding = request.body, encoding_of(request)
        packed, call = await self._offload.run(
            read_apart, data, encoding, self._limit, method, signatures, deadline=deadline
        )
        if call.learned and not encoding and request.size <= _LARGE_IF_KNOWN:
            Body(data if isinstance(data, bytes) else b"".join(data)).remember(*call.learned)
        return replace(call, inputs=await unpacked(packed, self._offload))


def read_call(body: Body, method: str, signatures: Mapping[str, Signature]) -> Call:
    """Return what a document asks for.

    Raises:
        ServingError: it does not match the signature.
    """
    name = body.signature_name
    if method != "predict":
        examples, context = read_examples(body.document)
        return Call(name, {INPUTS: to_tensor(examples, context)})
    key = name or DEFAULT_SIGNATURE
    signature = signatures.get(key)
    if signature is None:
        raise invalid(f'Serving signature name: "{key}" not found in signature def')
    inputs, by_row = decode.predict_inputs(body, signature, name)
    return Call(name, inputs, by_row, body.learned)


def read_apart(
    data: bytes, encoding: bytes, limit: int, method: str, signatures: Mapping[str, Signature]
) -> tuple[Packed, Call]:
    """Return the inputs of a body as they travel between processes, and the rest of what it asks for.

    Raises:
        ServingError: the body is invalid.
    """
    body = Body(decompressed(data, limit) if encoding else data)
    call = read_call(body, method, signatures)
    return pack(call.inputs), replace(call, inputs={})


def _known(body: Body, method: str, signatures: Mapping[str, Signature]) -> Call | None:
    """Return what a large list of numbers asks for, if it is what it seems to be."""
    signature = signatures.get(DEFAULT_SIGNATURE)
    if method != "predict" or signature is None:
        return None
    found = decode.known_inputs(body, signature)
    return Call("", *found) if found else None
