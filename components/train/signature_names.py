"""Exact input names in exported signatures, whatever a raw column is called.

TensorFlow makes a signature of a Python function, whose parameters can have few of the names that columns have: it
renames `sepal length (cm)` and refuses `class`. So such an input is exported under an alias, and gets its own name in
the SavedModel's SignatureDef afterwards, which is what every server and `saved_model_cli` go by. (Only
`tf.saved_model.load(…).signatures`, which rebuilds the Python function, shows the alias.)
"""

import keyword
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tensorflow.core.protobuf import saved_model_pb2

_FILE = "saved_model.pb"
#: What TensorFlow takes as a parameter's name and hands on unchanged; `self` it keeps for itself.
_PARAMETER = re.compile(r"[a-z][a-z0-9_]*", re.ASCII)  # capitals become small letters


def aliases(names: Iterable[str]) -> dict[str, str]:
    """Give each name one that a parameter can have: itself where it can, else `input_0` and so on."""
    wanted = list(names)
    given: dict[str, str] = {}
    for name in wanted:
        if _PARAMETER.fullmatch(name) and not keyword.iskeyword(name) and name not in ("self", "cls"):
            given[name] = name
    free = (alias for index in range(10**6) if (alias := f"input_{index}") not in wanted)
    return {name: given[name] if name in given else next(free) for name in wanted}


def rewrite_inputs(
    folder: str | Path, signature: str, names: Mapping[str, str], defaults: Mapping[str, Any]
) -> None:
    """Give the inputs of a signature their exact names, and the defaults of those that a request may leave out.

    Args:
        folder: the SavedModel.
        signature: the signature's name.
        names: what `aliases` returned.
        defaults: TensorProtos by exact name.
    """
    if not defaults and all(name == alias for name, alias in names.items()):
        return
    path = Path(folder) / _FILE
    saved = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    for graph in saved.meta_graphs:
        definition: Any = graph.signature_def[signature]
        infos = {name: definition.inputs[alias].SerializeToString() for name, alias in names.items()}
        for alias in names.values():
            del definition.inputs[alias]
        for name, info in infos.items():
            definition.inputs[name].ParseFromString(info)
        for name, default in defaults.items():
            definition.defaults[name].CopyFrom(default)
    path.write_bytes(saved.SerializeToString(deterministic=True))
