"""Operations from beside TensorFlow: loaded when a model has them, and named when nothing here does."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from serving.engine import op_libraries, saved_model
from serving.engine.op_libraries import OpLibrary
from serving.engine.open import EngineOptions, open_engine
from serving.errors import Code, ServingError
from tests.conftest import REPOSITORY
from tests.serving.tf_models import write_half_plus

WRITE = """
import sys
import tensorflow as tf
import tensorflow_text as text

class Words(tf.Module):
    def __init__(self):
        super().__init__()
        self.tokenizer = text.UnicodeScriptTokenizer()

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="text")])
    def predict(self, text):
        return {"words": self.tokenizer.tokenize(text).to_tensor()}

module = Words()
tf.saved_model.save(module, sys.argv[1], signatures={"serving_default": module.predict})
"""
SERVE = """
import sys
import numpy as np
from pathlib import Path
from serving.engine.open import EngineOptions, open_engine
model = open_engine(Path(sys.argv[2]), EngineOptions())
assert "tensorflow_text" not in sys.modules, "no model has asked for it yet"
model = open_engine(Path(sys.argv[1]), EngineOptions())
print(model.run("serving_default", {"text": np.array([b"two words", b"one"], object)})["words"].tolist())
"""


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_half_plus(tmp_path_factory.mktemp("ops") / "1")


def rename(plain: Path, target: Path, operation: str, *, only_in_unused: bool = False) -> Path:
    """Copy a model, with one operation of its functions renamed to something that this process lacks."""
    saved = saved_model_pb2.SavedModel.FromString((plain / "saved_model.pb").read_bytes())
    functions = saved.meta_graphs[0].graph_def.library.function
    if only_in_unused:
        functions.add().CopyFrom(functions[0])
        functions[-1].signature.name = "nobody_calls_me"
        nodes = functions[-1].node_def
    else:
        nodes = [node for function in functions for node in function.node_def if node.op == "AddV2"]
    nodes[0].op = operation
    target.mkdir()
    (target / "saved_model.pb").write_bytes(saved.SerializeToString())
    (target / "variables").symlink_to(plain / "variables")
    return target


@pytest.mark.parametrize(
    ("operation", "advice"),
    [
        ("NobodysOp", "no package that this server loads has it"),
        ("TFText>FromTheFuture", "tensorflow-text"),
        (
            "SimpleMLInferenceOpWithHandle",
            "it is in tensorflow-decision-forests: pip install the version for",
        ),
    ],
)
def test_an_operation_that_is_not_registered_is_named(
    plain: Path, tmp_path: Path, operation: str, advice: str
) -> None:
    folder = rename(plain, tmp_path / "1", operation)
    with pytest.raises(ServingError, match="not registered") as caught:
        open_engine(folder, EngineOptions())
    assert caught.value.code == Code.NOT_FOUND
    assert operation in caught.value.message
    assert advice in caught.value.message


def test_what_nothing_calls_may_have_any_operation(plain: Path, tmp_path: Path) -> None:
    folder = rename(plain, tmp_path / "1", "NobodysOp", only_in_unused=True)
    with saved_model.load(folder) as model:
        assert model.run("serving_default", {"x": tf.constant([2.0]).numpy()})["y"].tolist() == [3.0]


def test_a_library_for_another_tensorflow_is_told(
    plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken_ops.py").write_text("raise ImportError('undefined symbol: _ZN10tensorflow')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(op_libraries, "LIBRARIES", (OpLibrary("broken-ops", "broken_ops", ("Broken>",)),))
    folder = rename(plain, tmp_path / "1", "Broken>Op")
    with pytest.raises(
        ServingError, match=r"Broken>Op: the installed broken-ops.*beside tensorflow.*undefined symbol"
    ):
        open_engine(folder, EngineOptions())


@pytest.mark.skipif(
    not importlib.util.find_spec("tensorflow_text"), reason="tensorflow-text is not installed"
)
def test_a_model_of_tf_text_is_served(plain: Path, tmp_path: Path) -> None:
    """In processes of their own: what is registered once stays registered."""
    folder = str(tmp_path / "1")
    subprocess.run([sys.executable, "-c", WRITE, folder], cwd=REPOSITORY, check=True, capture_output=True)
    done = subprocess.run(
        [sys.executable, "-c", SERVE, folder, str(plain)],
        cwd=REPOSITORY,
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stdout.strip() == str([[b"two", b"words"], [b"one", b""]])
