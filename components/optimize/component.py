"""The TFX component of Gate 2: variants of the candidate, judged and measured; one of them is the output."""

import shutil
from pathlib import Path

import apache_beam as beam
import tensorflow_transform as tft
from tfx.dsl.component.experimental.annotations import (
    BeamComponentParameter,
    InputArtifact,
    OutputArtifact,
    Parameter,
)
from tfx.dsl.component.experimental.decorators import component
from tfx.types import standard_artifacts

from components.artifacts import VerdictArtifact
from components.evaluate.config import EvaluateConfig
from components.names import KERAS_MODEL, SCHEMA_FILE, SERVING, VARIANT_PROPERTY
from components.optimize import tradeoff
from components.optimize.config import OptimizeConfig
from components.optimize.parent import Parent, feature_specs
from components.optimize.run import OptimizerInputs, optimize
from components.optimize.table import write_rows
from components.preprocess.config import PreprocessConfig
from components.raw import example_files
from components.schema.text import classes_of, read_schema
from components.verdict import write_verdict


@component(use_beam=True)
def Optimizer(  # noqa: N802  (a component's name is its class name)
    examples: InputArtifact[standard_artifacts.Examples],
    transformed_examples: InputArtifact[standard_artifacts.Examples],
    transform_graph: InputArtifact[standard_artifacts.TransformGraph],
    schema: InputArtifact[standard_artifacts.Schema],
    model: InputArtifact[standard_artifacts.Model],
    optimized: OutputArtifact[standard_artifacts.Model],
    optimization: OutputArtifact[standard_artifacts.ModelEvaluation],
    verdict: OutputArtifact[VerdictArtifact],
    optimize_config: Parameter[str],
    evaluate_config: Parameter[str],
    preprocess_config: Parameter[str],
    model_name: Parameter[str],
    module: Parameter[str],
    push_format: Parameter[str],
    split: Parameter[str],
    label: Parameter[str],
    code_digest: Parameter[str],
    beam_pipeline: BeamComponentParameter[beam.Pipeline] = None,
) -> None:
    """Build, judge and measure variants, and output the pick in place of the candidate.

    Args:
        examples: raw examples, to judge on.
        transformed_examples: for calibration and further training.
        transform_graph: the preprocessing.
        schema: gives the classes.
        model: the candidate that Gate 1 passed.
        optimized: the result: the pick, in the folder of a model's SavedModel; empty if the verdict is a refusal.
        optimization: `variants.json`, `tradeoff.html`, the predictions of all variants and TFMA's files.
        verdict: the checks of every variant, the pick's digest and the candidate's.
        optimize_config: JSON of `OptimizeConfig`.
        evaluate_config: JSON of `EvaluateConfig`.
        preprocess_config: JSON of `PreprocessConfig`.
        model_name: title of the picture.
        module: `model.module`, which may define layers of the user's own.
        push_format: `push.format`: which server loads what is released.
        split: the split to judge on.
        label: the label's feature name.
        code_digest: part of the cache key.
        beam_pipeline: where TFMA runs.
    """
    del code_digest
    config = OptimizeConfig.model_validate_json(optimize_config)
    preprocess = PreprocessConfig.model_validate_json(preprocess_config)
    parent = Parent(
        saved_model=str(Path(model.uri) / SERVING),
        keras_model=str(Path(model.uri) / KERAS_MODEL),
        transform=transform_graph.uri,
        train_files=tuple(example_files(transformed_examples.uri, "train")),
        raw_files=tuple(example_files(examples.uri, "train")),
        spec=feature_specs(tft.TFTransformOutput(transform_graph.uri).transformed_feature_spec()),
        label=label,
        classes=tuple(classes_of(read_schema(Path(schema.uri) / SCHEMA_FILE), label)),
        inputs=preprocess.inputs,
        module=module,
    )
    folder = Path(optimization.uri)
    variants = folder / "variants"
    rows, judged, chosen = optimize(
        OptimizerInputs(
            parent=parent,
            config=config,
            evaluate=EvaluateConfig.model_validate_json(evaluate_config),
            preprocess=preprocess,
            files=example_files(examples.uri, split),
            beam_pipeline=beam_pipeline,
            folder=folder,
            variants=variants,
            push_format="tf_serving" if push_format == "tf_serving" else "slipway",
        )
    )
    write_rows(rows, folder)
    tradeoff.write(rows, config.budgets, model_name, folder)
    if chosen is not None:
        shutil.copytree(chosen, Path(optimized.uri) / SERVING)
        optimized.set_string_custom_property(VARIANT_PROPERTY, next(row.name for row in rows if row.picked))
    write_verdict(judged, verdict.uri)
