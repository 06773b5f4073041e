"""The C++-like loader: signatures, assets, legacy models, errors, threads."""

import threading
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from serving.engine import saved_model
from serving.engine.session_model import SavedModel


class HalfPlusTwo(tf.Module):  # type: ignore[misc]
    """y = a·x + b, and a table read from an asset file."""

    def __init__(self, vocabulary: str) -> None:
        super().__init__()
        self.a = tf.Variable(0.5)
        self.b = tf.Variable(2.0)
        self.asset = tf.saved_model.Asset(vocabulary)
        self.table = tf.lookup.StaticHashTable(
            tf.lookup.TextFileInitializer(
                self.asset,
                tf.string,
                tf.lookup.TextFileIndex.WHOLE_LINE,
                tf.int64,
                tf.lookup.TextFileIndex.LINE_NUMBER,
            ),
            -1,
        )

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="x")])  # type: ignore[untyped-decorator]
    def predict(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"y": self.a * x + self.b, "twice": 2 * x}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="words")])  # type: ignore[untyped-decorator]
    def lookup(self, words: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"ids": self.table.lookup(words), "words": words}


@pytest.fixture(scope="module")
def model_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("saved")
    words = base / "words.txt"
    words.write_text("good\nbad\n")
    module = HalfPlusTwo(str(words))
    tf.saved_model.save(
        module, str(base / "model"), signatures={"serving_default": module.predict, "lookup": module.lookup}
    )
    words.unlink()  # the copy inside the model must be the one that is read
    return base / "model"


def test_runs_signatures(model_dir: Path) -> None:
    with saved_model.load(model_dir) as model:
        assert set(model.signatures) == {"serving_default", "lookup"}
        assert saved_model.read_signatures(model_dir) == model.signatures, "read without loading"
        spec = model.signatures["serving_default"].inputs["x"]
        assert (spec.dtype, spec.shape, spec.numpy_dtype) == ("DT_FLOAT", (None,), np.dtype(np.float32))
        answer = model.run("serving_default", {"x": np.array([1, 2], np.float32)})
        np.testing.assert_allclose(answer["y"], [2.5, 3.0])
        assert set(model.run("serving_default", {"x": np.zeros(1, np.float32)}, ["twice"])) == {"twice"}


def test_reads_its_own_asset(model_dir: Path) -> None:
    with saved_model.load(str(model_dir)) as model:
        answer = model.run("lookup", {"words": np.array([b"bad", b"good", b"?"], object)})
        assert answer["ids"].tolist() == [1, 0, -1]
        assert answer["words"].tolist() == [b"bad", b"good", b"?"]


def test_bad_calls_say_what_the_model_has(model_dir: Path) -> None:
    x = np.zeros(1, np.float32)
    with saved_model.load(model_dir) as model:
        with pytest.raises(KeyError, match=r"no signature 'nope'.*serving_default"):
            model.run("nope", {"x": x})
        with pytest.raises(ValueError, match=r"takes the inputs \['x'\], got \['z'\]"):
            model.run("serving_default", {"z": x})
        with pytest.raises(KeyError, match=r"no output \['q'\]"):
            model.run("serving_default", {"x": x}, ["q"])
        with pytest.raises(tf.errors.InvalidArgumentError):
            model.run("serving_default", {"x": np.array([b"text"], object)})


def test_threads_share_a_model(model_dir: Path) -> None:
    wrong: list[str] = []

    def ask(model: SavedModel, start: int) -> None:
        for i in range(start, start + 200):
            got = model.run("serving_default", {"x": np.array([i], np.float32)})["y"][0]
            if got != i * 0.5 + 2:
                wrong.append(f"{i}: {got}")

    with saved_model.load(model_dir) as model:
        threads = [threading.Thread(target=ask, args=(model, n * 1000)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not wrong


def test_no_model_in_directory(tmp_path: Path) -> None:
    with pytest.raises(saved_model.SavedModelError, match="Could not find SavedModel"):
        saved_model.load(tmp_path)


def test_no_such_tags(model_dir: Path) -> None:
    with pytest.raises(saved_model.SavedModelError, match=r"tags: \{ gpu serve \}.*it has \[\['serve'\]\]"):
        saved_model.load(model_dir, tags=("serve", "gpu"))


def test_truncated_model(model_dir: Path, tmp_path: Path) -> None:
    whole = (model_dir / "saved_model.pb").read_bytes()
    (tmp_path / "saved_model.pb").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(saved_model.SavedModelError, match="cannot parse"):
        saved_model.load(tmp_path)


def test_legacy_graph_with_init_collection(tmp_path: Path) -> None:
    """A TF1 export: variables by a Saver, the table by the main op of a collection."""
    v1 = tf.compat.v1
    target = tmp_path / "v1"
    with tf.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, [None], name="x")
        weight = v1.get_variable("w", initializer=3.0, use_resource=False)
        counter = v1.get_local_variable("c", initializer=1.0)
        y = weight * x + counter
        session.run([v1.global_variables_initializer(), v1.local_variables_initializer()])
        builder = v1.saved_model.Builder(str(target))
        signature = v1.saved_model.predict_signature_def({"x": x}, {"y": y})
        builder.add_meta_graph_and_variables(
            session,
            ["serve"],
            {"serving_default": signature},
            main_op=v1.local_variables_initializer(),
        )
        builder.save()
    with saved_model.load(target) as model:
        answer = model.run("serving_default", {"x": np.array([2], np.float32)})
        assert answer["y"].tolist() == [7.0]
