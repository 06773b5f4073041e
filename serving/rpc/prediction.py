"""PredictionService: Predict, Classify, Regress, MultiInference, GetModelMetadata."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from serving.engine.signature import DEFAULT_SIGNATURE
from serving.errors import Code, invalid
from serving.inference.checks import check_names
from serving.inference.dataplane import DataPlane, ModelRef
from serving.inference.examples import INPUTS
from serving.inference.runners import engine_of
from serving.messages import tensors
from serving.messages.calls import (
    Classifications,
    fill_classifications,
    fill_regressions,
    log_entry,
    read_input,
    write_spec,
)
from serving.messages.dtypes import Array
from serving.messages.protos import (
    classification_pb2,
    get_model_metadata_pb2,
    inference_pb2,
    predict_pb2,
    regression_pb2,
)
from serving.offload.tensors import unpacked
from serving.ops.request_log import RequestLogs
from serving.rpc.guard import Call, Counted, Guard, Method, ReadLarge
from serving.rpc.methods import Methods
from serving.rpc.read import REQUESTS, read_apart
from serving.rpc.wire import Compressed, Message, parse

SERVICE = "tensorflow.serving.PredictionService"
_SMALL = 1 << 15
_SIGNATURE_DEF = "signature_def"


@dataclass(frozen=True)
class PredictionService:
    """The methods. With `packed`, response tensors are serialized as tensor_content."""

    plane: DataPlane
    logs: RequestLogs
    packed: bool = False

    async def predict(self, request: Any, call: Call) -> Any:
        """Answer Predict."""
        ref = read_spec(request, call)
        name = request.model_spec.signature_name
        with self.plane.version(ref) as version:
            call.version = version.number
            sent = request.inputs if call.tensors is None else call.tensors
            check_names(self.plane.signature(version, name or DEFAULT_SIGNATURE), sent)
            inputs = await self._inputs(request, call)
            outputs = await self.plane.predict(version, name, inputs, request.output_filter, call.deadline)
        response = predict_pb2.PredictResponse()
        write_spec(response.model_spec, ref.name, call.version, name or DEFAULT_SIGNATURE)
        size = sum(value.size for value in outputs.values())
        await self.plane.offload.by_size(size, _fill, response.outputs, outputs, self.packed)
        if self.logs.wants(ref.name):
            if call.tensors:
                _fill(request.inputs, call.tensors, packed=True)
            self.logs.put(ref.name, log_entry("predict", request, response))
        return response

    async def classify(self, request: Any, call: Call) -> Any:
        """Answer Classify."""
        ref = read_spec(request, call)
        name = request.model_spec.signature_name
        with self.plane.version(ref) as version:
            call.version = version.number
            tensor = await self._examples(request, call)
            result = await self.plane.classify(version, name, tensor, call.deadline)
        response = classification_pb2.ClassificationResponse()
        write_spec(response.model_spec, ref.name, call.version, name or DEFAULT_SIGNATURE)
        await self.plane.offload.by_size(len(tensor), fill_classifications, response.result, result)
        if self.logs.wants(ref.name):
            _restore_examples(request, call)
            self.logs.put(ref.name, log_entry("classify", request, response))
        return response

    async def regress(self, request: Any, call: Call) -> Any:
        """Answer Regress."""
        ref = read_spec(request, call)
        name = request.model_spec.signature_name
        with self.plane.version(ref) as version:
            call.version = version.number
            tensor = await self._examples(request, call)
            result = await self.plane.regress(version, name, tensor, call.deadline)
        response = regression_pb2.RegressionResponse()
        write_spec(response.model_spec, ref.name, call.version, name or DEFAULT_SIGNATURE)
        await self.plane.offload.by_size(len(tensor), fill_regressions, response.result, result)
        if self.logs.wants(ref.name):
            _restore_examples(request, call)
            self.logs.put(ref.name, log_entry("regress", request, response))
        return response

    async def multi_inference(self, request: Any, call: Call) -> Any:
        """Answer MultiInference: all tasks on one model, in one run."""
        if not request.tasks:
            raise invalid("MultiInferenceRequest has no tasks")
        names = {task.model_spec.name for task in request.tasks}
        if "" in names:
            raise invalid("Found ModelSpec with an empty model name.")
        if len(names) > 1:
            raise invalid("All ModelSpecs in a MultiInferenceRequest must access the same model name.")
        ref = read_spec(request.tasks[0], call)
        tasks = [(task.model_spec.signature_name, task.method_name) for task in request.tasks]
        with self.plane.version(ref) as version:
            call.version = version.number
            tensor = await self._examples(request, call)
            results = await self.plane.multi_inference(version, tasks, tensor, call.deadline)
        response = inference_pb2.MultiInferenceResponse()
        for (signature_name, _), result in zip(tasks, results, strict=True):
            entry = response.results.add()
            write_spec(entry.model_spec, ref.name, call.version, signature_name or DEFAULT_SIGNATURE)
            if isinstance(result, Classifications):
                await self.plane.offload.by_size(
                    len(tensor), fill_classifications, entry.classification_result, result
                )
            else:
                await self.plane.offload.by_size(
                    len(tensor), fill_regressions, entry.regression_result, result
                )
        if self.logs.wants(ref.name):
            _restore_examples(request, call)
            self.logs.put(ref.name, log_entry("multi_inference", request, response))
        return response

    async def _inputs(self, request: Any, call: Call) -> dict[str, Array]:
        if call.tensors is not None:
            return call.tensors
        check = self.plane.limits.check_shape
        if call.size <= _SMALL:
            return tensors.to_arrays(request.inputs, check)
        count = tensors.count_values(request.inputs)
        return await self.plane.offload.by_size(count, tensors.to_arrays, request.inputs, check)

    async def _examples(self, request: Any, call: Call) -> Array:
        if call.tensors is not None:
            return call.tensors[INPUTS]
        given = request.input
        count = len(given.example_list.examples) + len(given.example_list_with_context.examples)
        return await self.plane.offload.by_size(count, read_input, given)

    async def metadata(self, request: Any, call: Call) -> Any:
        """Answer GetModelMetadata."""
        ref = read_spec(request, call)
        if not request.metadata_field:
            raise invalid("GetModelMetadataRequest must specify at least one metadata_field")
        for field in request.metadata_field:
            if field != _SIGNATURE_DEF:
                raise invalid(f"Metadata field {field} is not supported")
        response = get_model_metadata_pb2.GetModelMetadataResponse()
        definitions = get_model_metadata_pb2.SignatureDefMap()
        with self.plane.version(ref) as version:
            call.version = version.number
            for name, definition in engine_of(version).signature_defs.items():
                definitions.signature_def[name].ParseFromString(definition.SerializeToString())
        write_spec(response.model_spec, ref.name, call.version)
        response.metadata[_SIGNATURE_DEF].Pack(definitions)
        return response


def methods(service: PredictionService, guard: Guard) -> Methods:
    """Return the service's methods."""
    plane = service.plane
    answers: dict[str, tuple[Method, Counted | None]] = {
        "Predict": (service.predict, _count(plane, "Predict")),
        "Classify": (service.classify, _count(plane, "Classify")),
        "Regress": (service.regress, _count(plane, "Regress")),
        "MultiInference": (service.multi_inference, None),
    }
    table = {
        f"/{SERVICE}/{name}": guard.unary(
            f"/{SERVICE}/{name}", REQUESTS[name], method, counted, read_large=_read_large(plane, name)
        )
        for name, (method, counted) in answers.items()
    }
    path = f"/{SERVICE}/GetModelMetadata"
    request_type = get_model_metadata_pb2.GetModelMetadataRequest
    return {**table, path: guard.unary(path, request_type, service.metadata)}


def _read_large(plane: DataPlane, method: str) -> ReadLarge:
    async def read(data: Message, call: Call) -> tuple[Any, dict[str, Array]]:
        whole = data if isinstance(data, Compressed) else Compressed(data, b"", call.size)
        rest, packed = await plane.offload.run(
            read_apart, whole.data, whole.encoding, whole.limit, method, plane.limits, deadline=call.deadline
        )
        return parse(REQUESTS[method], rest), await unpacked(packed, plane.offload)

    return read


def _fill(fields: Any, values: Mapping[str, Array], packed: bool) -> None:
    for alias, value in values.items():
        tensors.fill(fields[alias], value, packed=packed and value.dtype.kind != "O")


def _restore_examples(request: Any, call: Call) -> None:
    """Put the examples of a large request back into it, for the log."""
    for data in (call.tensors or {}).get(INPUTS, ()):
        request.input.example_list.examples.add().ParseFromString(data)


def read_spec(message: Any, call: Call) -> ModelRef:
    """Return the model that a request is for.

    Raises:
        ServingError: the request does not name one (INVALID_ARGUMENT).
    """
    if not message.HasField("model_spec"):
        raise invalid("Missing ModelSpec")
    spec = message.model_spec
    call.model = spec.name
    choice = spec.WhichOneof("version_choice")
    return ModelRef(
        spec.name,
        spec.version.value if choice == "version" else None,
        spec.version_label if choice == "version_label" else None,
    )


def _count(plane: DataPlane, api: str) -> Counted:
    def counted(call: Call, code: Code, seconds: float) -> None:
        plane.count_request(call.model, code)
        if code is Code.OK:
            plane.metrics.request_latency.observe(seconds * 1e6, call.model, api, "GRPC")

    return counted
