"""ModelService: the state of models, and replacing their configuration while the server runs."""

import asyncio
import logging
from typing import Any

from serving.errors import Code, ServingError
from serving.inference.dataplane import DataPlane
from serving.manager.model_config import from_message, request_logging
from serving.messages.protos import get_model_status_pb2, model_management_pb2
from serving.messages.text_config import ServerConfigError
from serving.ops.request_log import RequestLogs
from serving.rpc.guard import Call, Guard
from serving.rpc.methods import Methods
from serving.rpc.prediction import read_spec

SERVICE = "tensorflow.serving.ModelService"
log = logging.getLogger("slipway.models")


def methods(plane: DataPlane, logs: RequestLogs, guard: Guard) -> Methods:
    """Return the service's methods."""

    async def status(request: Any, call: Call) -> Any:
        ref = read_spec(request, call)
        response = get_model_status_pb2.GetModelStatusResponse()
        for entry in plane.statuses(ref):
            line = response.model_version_status.add(version=entry.version, state=int(entry.state))
            line.status.error_code = int(entry.code)
            line.status.error_message = entry.message
        return response

    async def reload(request: Any, call: Call) -> Any:
        if request.config.WhichOneof("config") != "model_config_list":
            raise ServingError(
                Code.INVALID_ARGUMENT,
                "ServerModelConfig type not supported by HandleReloadConfigRequest. "
                "Only ModelConfigList is currently supported",
            )
        before = {name: _total(plane, name) for name in request.metric_names}
        try:
            models = from_message(request.config)
            done = plane.manager.set_models(models)
        except ServerConfigError as error:
            log.error("ReloadConfig failed: %s", error)
            raise ServingError(Code.INVALID_ARGUMENT, str(error)) from error
        logs.configure(request_logging(models))
        await asyncio.wrap_future(done)
        response = model_management_pb2.ReloadConfigResponse()
        response.status.error_code = 0
        for name, value in before.items():
            response.metric.add(name=name, int64_value_increase=_total(plane, name) - value)
        return response

    asked, changed = f"/{SERVICE}/GetModelStatus", f"/{SERVICE}/HandleReloadConfigRequest"
    return {
        asked: guard.unary(asked, get_model_status_pb2.GetModelStatusRequest, status),
        changed: guard.unary(changed, model_management_pb2.ReloadConfigRequest, reload, control=True),
    }


def _total(plane: DataPlane, name: str) -> int:
    """Return a counter's value by its name inside TensorFlow Serving, with slashes."""
    return int(plane.metrics.total(name.replace("/", ":")))
