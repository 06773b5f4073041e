"""PredictionService: Predict, Classify, Regress, MultiInference, GetModelMetadata."""

from dataclasses import dataclass
from typing import Any

from serving.engine.signature import DEFAULT_SIGNATURE
from serving.errors import Code, invalid
from serving.inference.checks import check_names
from serving.inference.dataplane import DataPlane, ModelRef
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
from serving.messages.protos import (
    classification_pb2,
    get_model_metadata_pb2,
    inference_pb2,
    predict_pb2,
    regression_pb2,
)
from serving.ops.request_log import RequestLogs
from serving.rpc.calls import Methods
from serving.rpc.guard import Call, Counted, Guard

SERVICE = "tensorflow.serving.PredictionService"
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
            check_names(self.plane.signature(version, name or DEFAULT_SIGNATURE), request.inputs)
            inputs = tensors.to_arrays(request.inputs, self.plane.limits.check_shape)
            outputs = await self.plane.predict(version, name, inputs, request.output_filter, call.deadline)
        response = predict_pb2.PredictResponse()
        write_spec(response.model_spec, ref.name, call.version, name or DEFAULT_SIGNATURE)
        for alias, value in outputs.items():
            tensors.fill(response.outputs[alias], value, packed=self.packed)
        if self.logs.wants(ref.name):
            self.logs.put(ref.name, log_entry("predict", request, response))
        return response

    async def classify(self, request: Any, call: Call) -> Any:
        """Answer Classify."""
        ref = read_spec(request, call)
        name = request.model_spec.signature_name
        with self.plane.version(ref) as version:
            call.version = version.number
            result = await self.plane.classify(version, name, read_input(request.input), call.deadline)
        response = classification_pb2.ClassificationResponse()
        write_spec(response.model_spec, ref.name, call.version, name or DEFAULT_SIGNATURE)
        fill_classifications(response.result, result)
        if self.logs.wants(ref.name):
            self.logs.put(ref.name, log_entry("classify", request, response))
        return response

    async def regress(self, request: Any, call: Call) -> Any:
        """Answer Regress."""
        ref = read_spec(request, call)
        name = request.model_spec.signature_name
        with self.plane.version(ref) as version:
            call.version = version.number
            result = await self.plane.regress(version, name, read_input(request.input), call.deadline)
        response = regression_pb2.RegressionResponse()
        write_spec(response.model_spec, ref.name, call.version, name or DEFAULT_SIGNATURE)
        fill_regressions(response.result, result)
        if self.logs.wants(ref.name):
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
            results = await self.plane.multi_inference(
                version, tasks, read_input(request.input), call.deadline
            )
        response = inference_pb2.MultiInferenceResponse()
        for (signature_name, _), result in zip(tasks, results, strict=True):
            entry = response.results.add()
            write_spec(entry.model_spec, ref.name, call.version, signature_name or DEFAULT_SIGNATURE)
            if isinstance(result, Classifications):
                fill_classifications(entry.classification_result, result)
            else:
                fill_regressions(entry.regression_result, result)
        if self.logs.wants(ref.name):
            self.logs.put(ref.name, log_entry("multi_inference", request, response))
        return response

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
    table = {
        "Predict": (predict_pb2.PredictRequest, service.predict, _count(service.plane, "Predict")),
        "Classify": (
            classification_pb2.ClassificationRequest,
            service.classify,
            _count(service.plane, "Classify"),
        ),
        "Regress": (regression_pb2.RegressionRequest, service.regress, _count(service.plane, "Regress")),
        "MultiInference": (inference_pb2.MultiInferenceRequest, service.multi_inference, None),
        "GetModelMetadata": (get_model_metadata_pb2.GetModelMetadataRequest, service.metadata, None),
    }
    paths = {f"/{SERVICE}/{name}": entry for name, entry in table.items()}
    return {
        path: guard.unary(path, request, method, counted)
        for path, (request, method, counted) in paths.items()
    }


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
