"""What a version needed is free again when it is unloaded, for every kind of model and with batching too."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tests.serving.faults import config_text
from tests.serving.manager.test_lifecycle import eventually, states
from tests.serving.process import start

pytestmark = pytest.mark.server

WEIGHTS = 5_000_000  # 20 MB
SETTLED, LAST = 3, 9


@pytest.fixture(scope="module")
def kinds(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """A version of each kind of model, with 20 MB of weights each, and the input x."""
    base = tmp_path_factory.mktemp("kinds")
    weights = np.random.default_rng(0).random((1000, WEIGHTS // 1000), np.float32)
    spec = tf.TensorSpec([None, 1000], tf.float32, name="x")

    module = tf.Module()
    module.w = tf.Variable(weights)
    calls = tf.function(lambda x: {"y": x @ module.w}, input_signature=[spec])
    tf.saved_model.save(module, str(base / "variables"), signatures=calls)

    constant = tf.Module()
    frozen = tf.function(lambda x: {"y": x @ tf.constant(weights)}, input_signature=[spec])
    tf.saved_model.save(constant, str(base / "frozen"), signatures=frozen)

    converter = tf.lite.TFLiteConverter.from_concrete_functions([frozen.get_concrete_function()], constant)
    (base / "litert").mkdir()
    (base / "litert" / "model.tflite").write_bytes(converter.convert())
    return {name: base / name for name in ("variables", "frozen", "litert")}


@pytest.mark.run
@pytest.mark.parametrize("flags", [(), ("--enable_batching",)], ids=["alone", "batched"])
def test_unloaded_versions_leave_nothing_behind(
    kinds: Mapping[str, Path], flags: tuple[str, ...], tmp_path: Path
) -> None:
    row = {"instances": [[1.0] * 1000]}

    def put(number: int) -> None:
        for name, folder in kinds.items():
            (tmp_path / name).mkdir(exist_ok=True)
            (tmp_path / name / str(number)).symlink_to(folder)

    put(1)
    config = tmp_path / "models.config"
    config.write_text(config_text({name: str(tmp_path / name) for name in kinds}))
    before = 0
    with start(f"--model_config_file={config}", *flags) as server:
        for number in range(2, LAST + 1):
            for name in kinds:
                assert server.post(f"/v1/models/{name}:predict", row).status_code == 200
            put(number)
            for name in kinds:
                eventually(lambda n=name, v=number: states(server, n).get(v) == "AVAILABLE", 60)  # type: ignore[misc]
                eventually(lambda n=name, v=number: states(server, n).get(v - 1) == "END", 60)  # type: ignore[misc]
            if number == SETTLED:
                before = server.memory()
        grown = server.memory() - before
    # Each version that stayed would add 60 MB, and so would each of which one part stayed add 20.
    assert grown < 80 << 20, f"{grown >> 20} MiB more after {LAST - SETTLED} versions"
