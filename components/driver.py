"""Drivers: what a stage looks up in the outside world before TFX checks its cache.

TFX keys its cache on a stage's inputs and execution properties. A driver runs first and may set properties, so
that a changed bucket or a newly reviewed schema changes the key, and nothing else does.
"""

from abc import abstractmethod
from typing import Any

from tfx.dsl.components.base import base_driver
from tfx.orchestration.portable import base_driver as ir_base_driver
from tfx.proto.orchestration import driver_output_pb2


class PropertyDriver(base_driver.BaseDriver, ir_base_driver.BaseDriver):  # type: ignore[misc]  # TFX has no types
    """A driver that sets execution properties of type string, and does nothing else.

    TFX checks a component's driver against its older base class and calls it through its newer one, hence both.
    """

    def __init__(self, metadata_handle: Any) -> None:
        base_driver.BaseDriver.__init__(self, metadata_handle)
        ir_base_driver.BaseDriver.__init__(self, metadata_handle)

    @abstractmethod
    def look_up(self, exec_properties: dict[str, Any], input_dict: dict[str, Any]) -> dict[str, str]:
        """Return the properties to set, by name."""

    def run(self, execution_info: Any) -> Any:
        """Set the properties; TFX calls this."""
        output = driver_output_pb2.DriverOutput()
        found = self.look_up(execution_info.exec_properties, execution_info.input_dict)
        for name, value in found.items():
            output.exec_properties[name].string_value = value
        return output
