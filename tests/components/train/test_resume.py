"""A training that is cut off continues, and does not forget the best weights it had."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.train import resume

X = np.linspace(-1, 1, 64, dtype=np.float32)[:, None]


def _model(keras: Any) -> Any:
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input([1]), keras.layers.Dense(1)])
    model.compile(optimizer=keras.optimizers.SGD(0.3), loss="mse")
    return model


class _CutError(Exception):
    pass


def _fit(keras: Any, folder: Path, epochs: int, patience: int | None, cut_after: int | None = None) -> Any:
    """Train towards y = 2x, where validation wants y = x: it gets better, then worse."""

    class Cut(keras.callbacks.Callback):  # type: ignore[misc]
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            if epoch == cut_after:
                raise _CutError

    model = _model(keras)
    callbacks = [*resume.callbacks(keras, folder, patience), Cut()]
    history = model.fit(
        X, 2 * X, validation_data=(X, X), epochs=epochs, verbose=0, callbacks=callbacks, shuffle=False
    )
    return model, history


@pytest.mark.parametrize("world", ["tf_keras", "keras"])
def test_it_continues_at_the_next_epoch(tmp_path: Path, world: str) -> None:
    keras = pytest.importorskip(world)
    whole, _ = _fit(keras, tmp_path / "whole", 6, None)
    with pytest.raises(_CutError):
        _fit(keras, tmp_path / "cut", 6, None, cut_after=2)
    continued, history = _fit(keras, tmp_path / "cut", 6, None)
    assert history.epoch == [3, 4, 5]
    np.testing.assert_allclose(continued.get_weights()[0], whole.get_weights()[0], rtol=1e-5)


@pytest.mark.parametrize("world", ["tf_keras", "keras"])
def test_early_stopping_remembers_the_best_weights_across_the_cut(tmp_path: Path, world: str) -> None:
    keras = pytest.importorskip(world)
    whole, _ = _fit(keras, tmp_path / "whole", 60, 3)
    best = abs(float(whole.get_weights()[0][0, 0]) - 1)
    _, history = _fit(keras, tmp_path / "look", 60, 3)
    cut = int(np.argmin(history.history["val_loss"])) + 1
    with pytest.raises(_CutError):
        _fit(keras, tmp_path / "cut", 60, 3, cut_after=cut)
    continued, _ = _fit(keras, tmp_path / "cut", 60, 3)
    assert abs(float(continued.get_weights()[0][0, 0]) - 1) == pytest.approx(best, rel=1e-3)


def test_nothing_is_left_when_it_is_done(tmp_path: Path) -> None:
    import tf_keras

    _fit(tf_keras, tmp_path / "done", 2, 3)
    assert any((tmp_path / "done").iterdir())
    resume.forget(tmp_path / "done")
    assert not (tmp_path / "done").exists()
