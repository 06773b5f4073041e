"""The one interface of all techniques, their registry, and chains such as `distilled+int8`."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

from components.modules import load_function
from components.optimize.config import OptimizeConfig
from components.optimize.parent import Parent
from components.push.config import PushFormat

Kind = Literal["model", "files"]


class InapplicableError(Exception):
    """A technique cannot be applied here; the message says why, for the table of variants."""


@dataclass(frozen=True)
class Work:
    """What a technique works with.

    Attributes:
        parent: the float model, its files and examples.
        config: the `optimize:` section.
        folder: where a technique of kind `files` writes the variant.
        before: names of the techniques that have been applied to the model.
    """

    parent: Parent
    config: OptimizeConfig
    folder: Path
    before: tuple[str, ...] = ()


@dataclass(frozen=True)
class Technique:
    """One way to make a model smaller or faster.

    Attributes:
        name: its name in the configuration.
        kind: `model`: Keras model in, Keras model out; `files`: Keras model in, files of a release out.
        needs: what it needs, in words.
        build: `build(model, work)`; returns the new Keras model, or None when it wrote files.
        finish: for kind `model`: the technique that writes the files, if the chain names none.
    """

    name: str
    kind: Kind
    needs: str
    build: Callable[[Any, Work], Any]
    finish: str = "litert"


#: Techniques whose files are a `model.tflite` with preprocessing beside it.
LITERT = ("litert", "float16", "int8_dynamic", "int8", "int16x8")

#: The module of each built-in; imported when it is used, because some take seconds to import.
_MODULES = {
    "saved_model": "components.optimize.saved_model",
    "frozen": "components.optimize.frozen",
    "xla": "components.optimize.xla",
    "tensorrt": "components.optimize.tensorrt",
    "litert": "components.optimize.litert",
    "float16": "components.optimize.litert",
    "int8_dynamic": "components.optimize.litert",
    "int8": "components.optimize.litert",
    "int16x8": "components.optimize.litert",
    "pruned": "components.optimize.pruned",
    "clustered": "components.optimize.clustered",
    "qat": "components.optimize.qat",
    "distilled": "components.optimize.distilled",
}


def find(name: str, config: OptimizeConfig) -> Technique:
    """Find a technique: a built-in one, or the `build` of a user's module.

    A user's `build(model, work)` returns a Keras model, or writes the files of a release into `work.folder` and
    returns None.

    Raises:
        ModuleError: the user's file does not load.
    """
    if name in config.modules:
        return Technique(name, "model", "your own module", load_function(config.modules[name], "build"))
    techniques: dict[str, Technique] = import_module(_MODULES[name]).TECHNIQUES
    return techniques[name]


def steps(chain: str, config: OptimizeConfig, push_format: PushFormat) -> list[Technique]:
    """Resolve a chain to its techniques; the last one writes files.

    Raises:
        InapplicableError: a technique that writes files is not the last, or the server cannot load the result.
    """
    found = [find(name, config) for name in chain.split("+")]
    for technique in found[:-1]:
        if technique.kind == "files":
            raise InapplicableError(f"{technique.name} writes the files, so it must be the last of the chain")
    last = found[-1]
    if last.kind == "model":
        found.append(find("saved_model" if push_format == "tf_serving" else last.finish, config))
    if push_format == "tf_serving" and found[-1].name in LITERT:
        raise InapplicableError("TF Serving cannot run the preprocessing of a LiteRT model")
    return found
