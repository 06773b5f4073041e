"""Chooses the engine for a version folder, and imports only that one."""

from collections.abc import MutableMapping
from dataclasses import dataclass
from pathlib import Path

from serving.engine.base import Engine
from serving.engine.preprocessing.spec import SPEC_FILE
from serving.errors import Code, ServingError
from serving.release.digest import file_digests, model_digest

LITERT_FILE = "model.tflite"
PREPROCESSING = "preprocessing"
"""The folder next to `model.tflite` with a SavedModel whose outputs are the LiteRT model's inputs."""


@dataclass(frozen=True)
class EngineOptions:
    """How models are opened.

    Attributes:
        tags: the tags of the SavedModel's graph.
        prefer_litert: use `model.tflite` if a folder has both formats.
        intra_op_threads: TensorFlow's threads within an operation.
        inter_op_threads: TensorFlow's threads across operations; -1 for the caller's thread.
        litert_threads: LiteRT's threads per call.
    """

    tags: tuple[str, ...] = ("serve",)
    prefer_litert: bool = False
    intra_op_threads: int = 1
    inter_op_threads: int = -1
    litert_threads: int = 1


def open_engine(
    folder: Path, options: EngineOptions, shared: MutableMapping[str, Engine] | None = None
) -> Engine:
    """Load the model in a version's folder.

    Args:
        folder: the folder.
        options: how.
        shared: SavedModels of preprocessing by digest. One that is here is not loaded again: for a wide table that
            takes seconds. Engines with the same part can only be closed together.

    Raises:
        ServingError: the folder has no model that can be loaded.
    """
    has_litert = (folder / LITERT_FILE).is_file()
    has_saved_model = any((folder / f"saved_model.{kind}").is_file() for kind in ("pb", "pbtxt", "cpb"))
    if has_litert and (options.prefer_litert or not has_saved_model):
        from serving.engine import litert, rows
        from serving.engine.preprocessed import PreprocessedModel
        from serving.engine.preprocessing import engine as preprocessing

        model: Engine = litert.load(folder / LITERT_FILE, threads=options.litert_threads)
        single = rows.takes_single_rows(model)
        if (folder / SPEC_FILE).is_file():
            model = PreprocessedModel(preprocessing.load(folder), model)
        elif (folder / PREPROCESSING).is_dir():
            model = PreprocessedModel(_open_preprocessing(folder / PREPROCESSING, options, shared), model)
        return rows.RowByRow(model) if single else model
    return _open_saved_model(folder, options)


def _open_preprocessing(
    folder: Path, options: EngineOptions, shared: MutableMapping[str, Engine] | None
) -> Engine:
    if shared is None:
        return _open_saved_model(folder, options)
    digest = model_digest(file_digests(folder))
    if digest not in shared:
        shared[digest] = _open_saved_model(folder, options)
    return shared[digest]


def _open_saved_model(folder: Path, options: EngineOptions) -> Engine:
    try:
        from serving.engine import saved_model  # imported late, because it imports TensorFlow
    except ModuleNotFoundError as error:
        if error.name != "tensorflow":
            raise
        message = f"{folder} holds a SavedModel, but tensorflow is not installed: pip install tensorflow"
        raise ServingError(Code.FAILED_PRECONDITION, message) from error
    try:
        return saved_model.load(
            folder,
            options.tags,
            intra_op_threads=options.intra_op_threads,
            inter_op_threads=options.inter_op_threads,
        )
    except saved_model.SavedModelError as error:
        raise ServingError(Code.NOT_FOUND, str(error)) from error
