"""Errors as TensorFlow, Keras and Beam really raise them, in one line: texts kept from such runs."""

from pathlib import Path

import pytest

from components.causes import last_said, root_cause
from components.imports import SOURCES
from serving.errors import UserError

LIBRARY = SOURCES / ".venv/lib/python3.11/site-packages"
IN_LAYER = f"""in user code:

    File "{LIBRARY}/tf_keras/src/engine/training.py", line 1398, in train_function  *
        return step_function(self, iterator)
    File "/tmp/__autograph_generated_filej662gtfc.py", line 60, in tf__call
        ag__.if_stmt(ag__.ld(KIND) == 'sub_key', if_body_2, else_body_2, get_state_2, set_state_2, ('retval_'), 2)

    ValueError: Exception encountered when calling layer 'sub_1' (type Sub).

    in user code:

        File "/home/ann/model.py", line 40, in call  *
            raise ValueError("raised in a branch")

        ValueError: raised in a branch


    Call arguments received by layer 'sub_1' (type Sub):
      • inputs={{'x': 'tf.Tensor(shape=(None, 2), dtype=float32)'}}
"""
KEY_IN_LAYER = """in user code:

    File "/tmp/__autograph_generated_filej662gtfc.py", line 25, in if_body_2
        raise

    RuntimeError: Exception encountered when calling layer 'sub' (type Sub).

    KeyError: 'no_such'

    Call arguments received by layer 'sub' (type Sub):
      • inputs={'x': 'tf.Tensor(shape=(None, 2), dtype=float32)'}
"""
IN_GRAPH = f"""Graph execution error:

Detected at node model/bad_2/Reshape defined at (most recent call last):
  File "{LIBRARY}/tf_keras/src/engine/functional.py", line 534, in call

  File "/home/ann/model.py", line 28, in call

Input to reshape is a tensor with 8 values, but the requested shape has 396
\t [[{{{{node model/bad_2/Reshape}}}}]] [Op:__inference_train_function_695]"""
ASSERTED = """Graph execution error:

Detected at node assert_less/Assert/AssertGuard/Assert defined at (most recent call last):
<stack traces unavailable>
assertion failed: [radius must be below 0] [Condition x < y did not hold element-wise:] [x (inputs_copy:0) = ] [1]
\t [[{{node assert_less/Assert/AssertGuard/Assert}}]] [Op:__inference_wrapped_finalized_2097]"""
NO_MATCH = (
    "Dimensions must be equal, but are 2 and 7 for '{{node MatMul}} = MatMul[T=DT_FLOAT, grad_a=false]"
    "(stack, zeros)' with input shapes: [?,2], [7,2]."
)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ValueError("the sky is too low"), "ValueError: the sky is too low"),
        (ValueError(IN_LAYER), "ValueError: raised in a branch (/home/ann/model.py, line 40, in call)"),
        (RuntimeError(KEY_IN_LAYER), "KeyError: 'no_such'"),
        (
            RuntimeError(IN_GRAPH),
            "RuntimeError: Input to reshape is a tensor with 8 values, but the requested shape has 396 "
            "(/home/ann/model.py, line 28, in call)",
        ),
        (RuntimeError(ASSERTED), "RuntimeError: radius must be below 0"),
        (
            ValueError(NO_MATCH),
            "ValueError: Dimensions must be equal, but are 2 and 7 for 'MatMul(stack, zeros)' with input shapes: "
            "[?,2], [7,2].",
        ),
        (
            RuntimeError("no more space [while running 'Analyze/Write[train]/Write']"),
            "RuntimeError: no more space",
        ),
        (
            RuntimeError("Feature: age is required but could not be found.\n\t [[{{node ParseExample}}]]"),
            "RuntimeError: Feature: age is required but could not be found.",
        ),
        (RuntimeError(), "RuntimeError"),
        (KeyError("y"), "KeyError: 'y'"),
    ],
)
def test_noise_is_left_out_and_the_last_exception_is_said(error: Exception, said: str) -> None:
    assert root_cause(error) == said


def _caught(outer: Exception, inner: Exception, *, explicit: bool) -> Exception:
    """Raise one exception because of another, or while handling it, as if neither had passed through this file."""
    try:
        try:
            raise inner
        except Exception as error:
            if explicit:
                raise outer from error
            raise outer  # noqa: B904  # that is the case
    except Exception as error:
        inner.__traceback__ = None
        return error.with_traceback(None)


@pytest.mark.parametrize("explicit", [True, False])
def test_the_exception_that_started_it_is_said(explicit: bool) -> None:
    wrapped = ValueError(f'An error occurred while trying to apply the transformation: "{ASSERTED}')
    assert root_cause(_caught(wrapped, OSError("disk full"), explicit=explicit)) == "OSError: disk full"


def test_words_of_ours_are_said_whatever_wraps_them() -> None:
    ours = UserError("data.label: there is no column 'y' [while running 'Analyze']")
    assert (
        root_cause(_caught(RuntimeError("noise"), ours, explicit=True))
        == "data.label: there is no column 'y'"
    )
    assert root_cause(_caught(ours, KeyError("y"), explicit=True)) == "data.label: there is no column 'y'"


def test_what_the_users_file_raised_is_said_with_its_place_and_not_what_it_came_from(tmp_path: Path) -> None:
    file = tmp_path / "model.py"
    file.write_text(
        "def build_model(known):\n"
        "    try:\n"
        "        known['size']\n"
        "    except KeyError as error:\n"
        "        raise ValueError('no size was given') from error\n"
    )
    names: dict[str, object] = {}
    exec(compile(file.read_text(), str(file), "exec"), names)
    build = names["build_model"]
    assert callable(build)
    with pytest.raises(ValueError, match="no size") as caught:
        build({})
    assert root_cause(caught.value) == f"ValueError: no size was given ({file}, line 5, in build_model)"


def test_the_last_that_a_process_said_is_its_exception(tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    log.write_text("noise\n\nTraceback\n  File x\nMemoryError: too much\nE0000 00:00:17 cuda.cc:52] none\n")
    assert last_said(log, since=6) == "MemoryError: too much"
    assert last_said(log, since=log.read_text().index("E0000")) == "it printed no error"
    log.write_text("loading\nF0000 00:00:17 tensor.cc:3] Check failed: 1 == 2\n")
    assert last_said(log) == "F0000 00:00:17 tensor.cc:3] Check failed: 1 == 2"
