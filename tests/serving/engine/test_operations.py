"""What a graph says about its run time, and whether it may be tried out: a signature of each kind in one model."""

from pathlib import Path

import pytest
import tensorflow as tf

from serving.engine import saved_model
from serving.inference.probe import joinable
from tests.serving.tf_models import write_kinds


@pytest.fixture(scope="module")
def model_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_kinds(tmp_path_factory.mktemp("kinds") / "1")


#: signature: steady, pure, joined without being told
KINDS = {
    "serving_default": (True, True, True),
    "dense": (True, True, True),
    "words": (True, True, True),
    "lower": (True, True, True),
    # As many steps as the request says, or pixels as the picture has.
    "loop": (False, True, False),
    "fill": (False, True, False),
    "branch": (False, True, False),
    "picture": (False, True, False),
    "steps": (False, True, True),
    # Rows that know of each other.
    "mean": (True, True, False),
    "sorted": (True, True, False),
    "running_sum": (True, True, False),
    "unique": (False, True, False),
    "total": (True, True, False),
    # No batch dimension.
    "scalar": (True, True, False),
    "fixed": (True, True, False),
    # A second answer is another one.
    "count": (False, False, False),
    "noise": (False, True, False),
}


def test_what_is_known_of_each_signature(model_dir: Path) -> None:
    with saved_model.load(model_dir) as model:
        found = joinable(model, {})
        assert {
            name: (name in model.steady, name in model.pure, name in found) for name in model.signatures
        } == KINDS
        first = model.run("count", {"x": tf.constant([0.0]).numpy()})["n"]
        assert first == 1, "what changes a state is not tried out"
