"""What really went wrong, in one line: libraries wrap an error in layers of their own, and bury its message."""

import re
import sysconfig
import traceback
from collections.abc import Iterator
from pathlib import Path

from components.imports import PACKAGES, SOURCES
from serving.errors import UserError

_PYTHON = sysconfig.get_paths()["stdlib"]
#: A line that names an exception, as Python, AutoGraph and Keras print it.
_NAMED = re.compile(r"^\s*((?:\w+\.)*\w*(?:Error|Exception|Interrupt|Failure))\b: *(.*)$")
_FRAME = re.compile(r'File "(.+?)", line (\d+), in (\S+)')
#: How a crash of C++ or of Python itself is told.
_FATAL = re.compile(r"^(F[0-9]{4} |Fatal )")
#: Headings with the real error below them.
_HEADINGS = ("in user code", "Exception encountered when calling", "Graph execution error")
#: Lines after which a message says nothing more to a reader.
_END = re.compile(
    r"^\s*((Call )?[Aa]rguments received by|\[\[\{\{node|Detected at node|Original stack trace|Batch instances)"
)
#: What Beam, TensorFlow and tf.Transform add to a message.
_NOISE = (
    re.compile(r"\x1b\[[0-9;]*m"),
    re.compile(r"\s*\[\[\{\{[^\]]*\}\}\]\]"),
    re.compile(r"\s*\[while running '.*?'\]", re.DOTALL),
    re.compile(r"\s*\[Op:\w+\]( name: .*)?"),
    re.compile(r"^\{\{function_node \S+?\}\}\s*"),
    re.compile(r"^\s*\d+ root error\(s\) found\.\s*"),
    re.compile(r"\{\{node \S+?\}\}\s*"),
)
#: An operation with its attributes; what it is called with says enough.
_NODE = re.compile(r"'\{\{node \S+?\}\} = (\w+)\[.*?\](?=\()")
#: tf.debugging's message, before the tensors that it prints.
_ASSERTED = re.compile(r"^assertion failed: \[([^\]]+)\].*$", re.DOTALL)
_LONGEST = 400


def root_cause(error: BaseException) -> str:
    """Say what went wrong: the exception that started it, and where in the user's own file, if it was there.

    An error in words of ours is taken as it is, whatever wraps it, and whatever it wraps.
    """
    chain = list(_chain(error))
    for one in chain:
        if isinstance(one, UserError):
            return _short(_without_noise(str(one)))
    # An exception with text about code has it in every layer around it: the innermost is the shortest.
    origin = next((one for one in chain if _user_frame(one)), chain[-1])
    name, message = _named(str(origin), type(origin).__name__)
    said = f"{name}: {message}" if message else name
    # AutoGraph and graphs tell in the text what the traceback has lost: the line inside of a function.
    where = _frame_in_text(str(origin)) or _user_frame(origin)
    return _short(said) + (f" ({where})" if where else "")


def last_said(path: Path, since: int = 0) -> str:
    """Return the last exception or fatal error in a process's log, from a byte on; what libraries tell is no reason."""
    lines = path.read_bytes()[since:].decode(errors="replace").splitlines()
    named = [line.strip() for line in lines if _NAMED.match(line) or _FATAL.match(line)]
    return _short(named[-1]) if named else "it printed no error"


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Go from the exception that was caught to the one that started it."""
    seen: set[int] = set()
    following: BaseException | None = error
    while following is not None and id(following) not in seen:
        seen.add(id(following))
        yield following
        hidden = following.__suppress_context__
        following = following.__cause__ or (None if hidden else following.__context__)


def _named(text: str, name: str) -> tuple[str, str]:
    """Find the last exception that a message names, and its message; without any, `name` and the message itself."""
    if "Graph execution error" in text.partition("\n")[0]:
        return name, _without_noise(_of_graph(text.splitlines()))
    lines = _without_noise(text).splitlines()
    start, message = 0, ""
    for index, line in enumerate(lines):
        match = _NAMED.match(line)
        if match and not any(heading in match[2] for heading in _HEADINGS):
            start, name, message = index + 1, match[1].rpartition(".")[2], match[2]
    said = [message] if message else []
    if not start:
        # Keras 3 puts a blank line between its heading and the error.
        while len(lines) > start + 1 and (
            not lines[start].strip() or any(h in lines[start] for h in _HEADINGS)
        ):
            start += 1
    for line in lines[start:]:
        if not line.strip() or _END.match(line):
            break
        said.append(line.strip())
    return name, _without_noise(" ".join(said))


def _of_graph(lines: list[str]) -> str:
    """Find the message in an error of a graph: after the places where the node was defined, before its name."""
    end = next((index for index, line in enumerate(lines) if "[[{{node" in line), len(lines))
    said: list[str] = []
    for line in reversed(lines[:end]):
        if not line.strip() or line.startswith(("  ", "<stack", "Detected at", "Graph execution")):
            break
        said.insert(0, line.strip())
    return " ".join(said)


def _without_noise(text: str) -> str:
    text = _NODE.sub(r"'\1", text)
    for pattern in _NOISE:
        text = pattern.sub("", text)
    return _ASSERTED.sub(r"\1", text.strip())


def _user_frame(error: BaseException) -> str:
    """Find the last place in the user's own code that a traceback passed through."""
    frames = [(f.filename, f.lineno, f.name) for f in traceback.extract_tb(error.__traceback__)]
    return _last_of_users(frames)


def _frame_in_text(text: str) -> str:
    return _last_of_users([(match[1], int(match[2]), match[3]) for match in _FRAME.finditer(text)])


def _last_of_users(frames: list[tuple[str, int | None, str]]) -> str:
    theirs = [frame for frame in frames if _is_users(frame[0])]
    if not theirs:
        return ""
    path, line, function = theirs[-1]
    shown = Path(path)
    here = Path.cwd()
    return f"{shown.relative_to(here) if shown.is_relative_to(here) else shown}, line {line}, in {function}"


def _is_users(path: str) -> bool:
    """Tell a user's file from ours, from a library's, and from code that AutoGraph made of one."""
    if "__autograph_generated_file" in path or not Path(path).is_absolute() or not path.endswith(".py"):
        return False
    ours = any(Path(path).is_relative_to(SOURCES / package) for package in PACKAGES)
    return not ours and "site-packages" not in Path(path).parts and not Path(path).is_relative_to(_PYTHON)


def _short(text: str) -> str:
    one = " ".join(text.split())
    return one if len(one) <= _LONGEST else one[: _LONGEST - 1] + "…"
