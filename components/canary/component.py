"""The TFX component of Gate 3: the model is tried in a server process before its release."""

import shutil
import tempfile
from pathlib import Path

from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.types import standard_artifacts

from components.artifacts import VerdictArtifact
from components.canary.config import CanaryConfig
from components.canary.gate import Golden, run_canary
from components.canary.process import MODEL
from components.names import SERVING
from components.push.warmup import write_warmup
from components.raw import example_files, golden_examples, raw_inputs
from components.verdict import write_verdict
from serving.engine.open import EngineOptions, open_engine
from serving.engine.signature import DEFAULT_SIGNATURE
from serving.release.record import WARMUP_FILE


@component
def Canary(  # noqa: N802  (a component's name is its class name)
    model: InputArtifact[standard_artifacts.Model],
    examples: InputArtifact[standard_artifacts.Examples],
    verdict: OutputArtifact[VerdictArtifact],
    canary_config: Parameter[str],
    split: Parameter[str],
    code_digest: Parameter[str],
) -> None:
    """Serve the model as it would be released, and compare the server's answers with the offline ones.

    Args:
        model: the candidate, or its optimized form.
        examples: raw examples, for golden and warm-up requests.
        verdict: the result: startup, answers over REST and gRPC, latency.
        canary_config: JSON of `CanaryConfig`.
        split: the split that golden requests are taken from.
        code_digest: part of the cache key.
    """
    del code_digest
    config = CanaryConfig.model_validate_json(canary_config)
    files = example_files(examples.uri, split)
    with tempfile.TemporaryDirectory(prefix="slipway-canary-") as scratch:
        folder = Path(scratch) / "model"
        shutil.copytree(Path(model.uri) / SERVING, folder)
        engine = open_engine(folder, EngineOptions())
        signature = engine.signatures[DEFAULT_SIGNATURE]
        real, fault = golden_examples(files, signature, config.golden_requests)
        inputs = raw_inputs(real, signature) if real else {}
        outputs = engine.run(DEFAULT_SIGNATURE, inputs) if real else {}
        golden = Golden(inputs, outputs, DEFAULT_SIGNATURE, fault)
        engine.close()
        (folder / WARMUP_FILE).parent.mkdir(exist_ok=True)
        if real:
            write_warmup(MODEL, signature, real, (1, 8), folder / WARMUP_FILE)
        write_verdict(run_canary(folder, golden, config), verdict.uri)
