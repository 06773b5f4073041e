import numpy as np
import pytest
import tensorflow as tf

from components.models import cnn, lstm


@pytest.mark.parametrize(
    ("shape", "parameters"),
    [((32, 32, 3), 122_570), ((28, 28, 1), 93_322), ((8, 8, 1), 23_626), ((3, 3, 1), 3_082)],
)
def test_the_cnn_is_sized_by_its_input(shape: tuple[int, ...], parameters: int) -> None:
    model = cnn.build_model({"image": tf.TensorSpec(shape, tf.float32)}, 10, {})
    answer = model({"image": np.zeros((2, *shape), np.float32)})
    assert model.count_params() == parameters
    assert answer.shape == (2, 10)
    np.testing.assert_allclose(np.sum(answer, axis=1), 1, rtol=1e-5)


def test_the_cnn_takes_its_hyperparameters() -> None:
    small = cnn.build_model(
        {"image": tf.TensorSpec([28, 28, 1])}, 3, {"filters": [4], "dense": 8, "dropout": 0.5}
    )
    assert small.count_params() < 25_000


@pytest.mark.parametrize("classes", [2, 5])
def test_the_lstm_answers_for_any_number_of_classes_and_ignores_padding(classes: int) -> None:
    model = lstm.build_model({"text": tf.TensorSpec([None], tf.int64)}, classes, {"vocabulary_size": 50})
    words = np.array([[5, 6, 7]], np.int64)
    padded = np.array([[5, 6, 7, 0, 0, 0]], np.int64)
    answer = model({"text": words}).numpy()
    assert answer.shape == (1, classes)
    np.testing.assert_allclose(answer.sum(), 1, rtol=1e-5)
    np.testing.assert_allclose(model({"text": padded}).numpy(), answer, rtol=1e-5)


def test_the_lstm_hears_the_order_of_words() -> None:
    model = lstm.build_model({"text": tf.TensorSpec([None], tf.int64)}, 2, {"vocabulary_size": 50})
    one, other = (model({"text": np.array([ids], np.int64)}).numpy() for ids in ([5, 6, 7], [7, 6, 5]))
    assert not np.allclose(one, other, atol=1e-7)


def test_features_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="one image feature"):
        cnn.build_model({"a": tf.TensorSpec([8, 8, 1]), "b": tf.TensorSpec([8, 8, 1])}, 2, {})
    with pytest.raises(ValueError, match="one feature of word ids"):
        lstm.build_model({"image": tf.TensorSpec([8, 8, 1])}, 2, {})
    with pytest.raises(ValueError, match="vocabulary_size"):
        lstm.build_model({"text": tf.TensorSpec([None], tf.int64)}, 2, {})
