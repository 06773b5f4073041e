"""The TFX component `Ingest`: raw data to an `Examples` artifact, cached until the data or the code changes."""

import copy
import json
import logging
from collections.abc import Sequence
from typing import Any, ClassVar

from tfx import types
from tfx.components.example_gen import utils as example_gen_utils
from tfx.components.util import examples_utils
from tfx.dsl.components.base import base_beam_component, base_beam_executor, base_driver, executor_spec
from tfx.orchestration.portable import base_driver as ir_base_driver
from tfx.orchestration.portable import data_types
from tfx.proto import example_gen_pb2
from tfx.proto.orchestration import driver_output_pb2
from tfx.types import artifact_utils, component_spec, standard_artifacts

from components.ingest import files, report, write
from components.ingest.config import DataConfig

log = logging.getLogger("slipway.ingest")


class Executor(base_beam_executor.BaseBeamExecutor):  # type: ignore[misc]  # TFX has no types
    """Runs the Beam pipeline, then judges what it counted."""

    def Do(  # noqa: N802  (TFX's name)
        self, input_dict: dict[str, Any], output_dict: dict[str, Any], exec_properties: dict[str, Any]
    ) -> None:
        """Write the artifact.

        Raises:
            DataError: the raw data is unusable, or has more bad rows than allowed.
        """
        config = DataConfig.model_validate_json(exec_properties["data_config"])
        examples = artifact_utils.get_single_instance(output_dict["examples"])
        files.ensure(config)  # where no driver ran, as on Kubeflow
        summary = write.write(
            config, json.loads(exec_properties["inputs"]), examples.uri, self._make_beam_pipeline()
        )
        report.judge(summary, config)
        log.info("%s", report.sentence(summary))
        examples.split_names = artifact_utils.encode_split_names(config.split_names())
        examples.span = 0
        examples_utils.set_payload_format(examples, example_gen_pb2.FORMAT_TF_EXAMPLE)
        examples_utils.set_file_format(examples, "tfrecords_gzip")


class Driver(base_driver.BaseDriver, ir_base_driver.BaseDriver):  # type: ignore[misc]  # TFX has no types
    """Runs before TFX checks its cache: makes the sample if needed, and computes the data's fingerprint."""

    def __init__(self, metadata_handle: Any) -> None:
        base_driver.BaseDriver.__init__(self, metadata_handle)
        ir_base_driver.BaseDriver.__init__(self, metadata_handle)

    def run(self, execution_info: data_types.ExecutionInfo) -> driver_output_pb2.DriverOutput:
        """Add the execution property `fingerprint`, which is part of the cache key.

        Raises:
            DataError: there is no data.
        """
        config = DataConfig.model_validate_json(execution_info.exec_properties["data_config"])
        files.ensure(config)
        fingerprint = files.fingerprint(config)
        output = driver_output_pb2.DriverOutput()
        for name, value in {**execution_info.exec_properties, "fingerprint": fingerprint}.items():
            if value is not None:
                output.exec_properties[name].string_value = value
        artifact = copy.deepcopy(execution_info.output_dict["examples"][0].mlmd_artifact)
        name = example_gen_utils.FINGERPRINT_PROPERTY_NAME
        artifact.custom_properties[name].string_value = fingerprint
        output.output_artifacts["examples"].artifacts.append(artifact)
        return output


class IngestSpec(component_spec.ComponentSpec):  # type: ignore[misc]  # TFX has no types
    """Parameters and outputs of `Ingest`."""

    PARAMETERS: ClassVar[dict[str, Any]] = {
        "data_config": component_spec.ExecutionParameter(type=str),
        "inputs": component_spec.ExecutionParameter(type=str),
        "code_digest": component_spec.ExecutionParameter(type=str),
        "fingerprint": component_spec.ExecutionParameter(type=str, optional=True),
    }
    INPUTS: ClassVar[dict[str, Any]] = {}
    OUTPUTS: ClassVar[dict[str, Any]] = {
        "examples": component_spec.ChannelParameter(type=standard_artifacts.Examples)
    }


class Ingest(base_beam_component.BaseBeamComponent):  # type: ignore[misc]  # TFX has no types
    """Turns raw data into examples, split into train, eval and test.

    Usage: `Ingest(config.data, inputs=["text"], code_digest=code_digest("components.ingest"))`; the output
    `examples` feeds StatisticsGen and Transform. `ingest.json` in the artifact's folder counts rows by split and
    label, and those that were refused.
    """

    SPEC_CLASS = IngestSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(Executor)
    DRIVER_CLASS = Driver

    def __init__(self, config: DataConfig, inputs: Sequence[str], code_digest: str) -> None:
        """Make the component.

        Args:
            config: the `data:` section.
            inputs: the raw features that the model reads; the split goes by them.
            code_digest: of the code that reads the data; part of the cache key.
        """
        spec = IngestSpec(
            data_config=config.model_dump_json(exclude_defaults=True),
            inputs=json.dumps(sorted(inputs)),
            code_digest=code_digest,
            examples=types.Channel(type=standard_artifacts.Examples),
        )
        super().__init__(spec=spec)
