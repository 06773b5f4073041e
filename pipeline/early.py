"""What is looked at before a run begins: all that can be told wrong without TensorFlow, which takes long to load."""

import ast
import re
from collections.abc import Sequence
from pathlib import Path

from components.ingest import header
from pipeline.config import Config, ConfigError
from pipeline.schema import check_kept_classes


def check(config: Config, config_path: str, overrides: Sequence[str] = ()) -> None:
    """Look at the root, the user's files, the first CSV file and the kept schema; nothing is done.

    Raises:
        ConfigError: Beam and TFX cannot write to `pipeline_root`, or a file of the user's is not there or not Python.
        DataError: the first CSV file is not there, or lacks a column that is read.
        SchemaError: data.classes is not what the kept schema says.
    """
    root = str(config.root.absolute())
    if any(mark in root for mark in "*?["):
        raise ConfigError(
            f"pipeline_root is {root}, which Beam and TFX take for a pattern because of * ? or [: set pipeline_root to "
            "another folder, such as ~/artifacts"
        )
    _check_file("preprocess.module", config.preprocess.module, "preprocessing_fn")
    _check_file("model.module", config.model.module, "build_model")
    for name, path in config.optimize.modules.items():
        _check_file(f"optimize.modules.{name}", path, "build")
    _check_file("optimize.distilled.module", config.optimize.distilled.module or "", "build_model")
    header.check(
        config.data,
        {"preprocess.inputs": config.preprocess.inputs, "evaluate.slices": config.evaluate.slice_features},
    )
    check_kept_classes(config, config_path, overrides)


def _check_file(key: str, path: str, function: str) -> None:
    """Refuse a Python file that is not there, does not parse or never names the function that is called in it."""
    if not path.endswith(".py"):
        return
    try:
        source = Path(path).read_bytes()
        ast.parse(source, filename=path)
    except OSError as error:
        said = "no such file" if isinstance(error, FileNotFoundError) else error.strerror
        raise ConfigError(f"{key}: {path}: {said}") from error
    except (SyntaxError, ValueError) as error:
        where = f", line {error.lineno}: {error.msg}" if isinstance(error, SyntaxError) else f": {error}"
        raise ConfigError(f"{key}: {path}{where}") from error
    # It may be imported, also by a star, or made by assignment.
    if not re.search(rb"\b%s\b|import\s*\*" % function.encode(), source):
        raise ConfigError(f"{key}: {path}: has no function {function}(…)")
