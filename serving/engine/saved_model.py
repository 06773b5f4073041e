"""Loads a SavedModel as TensorFlow Serving's C++ loader does.

`tf.saved_model.load` rebuilds Python objects and so accepts models that the C++ server refuses (for example, a model
whose restore op does not restore its variables). Here, as in C++, only the graph counts: import the graph with the
given tags, run `restore_op`, run the init op with the assets. What loads here also loads in TensorFlow Serving.
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow.python.saved_model import loader_impl

from serving.engine.op_libraries import missing_operations
from serving.engine.session_model import INIT_SIGNATURE, SavedModel, signatures_of
from serving.engine.signature import Signature
from serving.errors import UserError
from serving.messages.dtypes import Array

_LEGACY_INIT_COLLECTIONS = ("saved_model_main_op", "legacy_init_op")
_MODEL_FILES = ("saved_model.pb", "saved_model.cpb", "saved_model.pbtxt")


class SavedModelError(UserError, ValueError):
    """The directory holds no SavedModel that can be served here; the message says what is missing."""


def load(
    path: str | Path,
    tags: Iterable[str] = ("serve",),
    *,
    intra_op_threads: int = 1,
    inter_op_threads: int = -1,
) -> SavedModel:
    """Load the SavedModel in a directory.

    Args:
        path: the directory that holds `saved_model.pb`.
        tags: all tags of the graph to load.
        intra_op_threads: TensorFlow's threads within an operation.
        inter_op_threads: threads across operations; -1 runs the graph in the caller's thread, which is by far
            the cheapest for small models (66 µs instead of 203 µs for a CNN with 14k parameters).

    Raises:
        SavedModelError: there is no SavedModel, none with those tags, or its graph has operations that are not here.
        tf.errors.OpError: the graph or its variables cannot be restored.
    """
    directory = Path(path)
    meta_graph = _read_meta_graph(directory, set(tags))
    if missing := missing_operations(meta_graph.graph_def):
        raise SavedModelError(f"{directory}: {missing}")
    config = tf.compat.v1.ConfigProto(
        intra_op_parallelism_threads=intra_op_threads,
        inter_op_parallelism_threads=inter_op_threads,
        allow_soft_placement=True,
    )
    graph = tf.Graph()
    with graph.as_default():
        tf.import_graph_def(meta_graph.graph_def, name="")
    session = tf.compat.v1.Session(graph=graph, config=config)
    try:
        assets = _asset_feeds(directory, meta_graph)
        _restore(session, directory, meta_graph, assets)
        _initialize(session, directory, meta_graph, assets)
    except BaseException:
        session.close()
        raise
    return SavedModel(directory, session, meta_graph)


def read_signatures(path: str | Path, tags: Iterable[str] = ("serve",)) -> dict[str, Signature]:
    """Return the signatures of the SavedModel in a directory by name, without loading it.

    Raises:
        SavedModelError: there is no SavedModel, or none with those tags.
    """
    return signatures_of(_read_meta_graph(Path(path), set(tags)))


def _read_meta_graph(directory: Path, tags: set[str]) -> meta_graph_pb2.MetaGraphDef:
    if not any((directory / name).is_file() for name in _MODEL_FILES):
        raise SavedModelError(
            f"Could not find SavedModel .pb or .pbtxt at supplied export directory path: {directory}. "
            "Check that the directory exists and holds saved_model.pb"
        )
    try:
        saved_model = loader_impl.parse_saved_model(str(directory))
    except OSError as error:  # what TensorFlow's parser raises for a truncated file
        raise SavedModelError(f"{directory}: cannot parse the SavedModel: {error}") from error
    for meta_graph in saved_model.meta_graphs:
        if set(meta_graph.meta_info_def.tags) == tags:
            return meta_graph
    have = [sorted(meta_graph.meta_info_def.tags) for meta_graph in saved_model.meta_graphs]
    raise SavedModelError(
        f"Could not find meta graph def matching supplied tags: {{ {' '.join(sorted(tags))} }} "
        f"in {directory}; it has {have}. Pass one of these as --saved_model_tags, or export the model again"
    )


def _asset_feeds(directory: Path, meta_graph: meta_graph_pb2.MetaGraphDef) -> list[tuple[str, Array]]:
    """Return the tensors that take the paths of the asset files, with the paths in this copy of the model."""
    definitions = list(meta_graph.asset_file_def)
    if not definitions and "saved_model_assets" in meta_graph.collection_def:
        for packed in meta_graph.collection_def["saved_model_assets"].any_list.value:
            definition = meta_graph_pb2.AssetFileDef()
            packed.Unpack(definition)
            definitions.append(definition)
    return [
        (
            definition.tensor_info.name,
            np.array(str(directory / "assets" / definition.filename).encode(), dtype=object),
        )
        for definition in definitions
    ]


def _restore(
    session: tf.compat.v1.Session,
    directory: Path,
    meta_graph: meta_graph_pb2.MetaGraphDef,
    assets: list[tuple[str, Array]],
) -> None:
    prefix = directory / "variables" / "variables"
    if not prefix.with_suffix(".index").exists():
        return  # the model has no variables
    saver = meta_graph.saver_def
    feeds = [(saver.filename_tensor_name, np.array(str(prefix).encode(), dtype=object)), *assets]
    _run_target(session, saver.restore_op_name, feeds)


def _initialize(
    session: tf.compat.v1.Session,
    directory: Path,
    meta_graph: meta_graph_pb2.MetaGraphDef,
    assets: list[tuple[str, Array]],
) -> None:
    """Run the op that initializes tables and other resources; older exports name it in a collection."""
    if INIT_SIGNATURE in meta_graph.signature_def:
        name = meta_graph.signature_def[INIT_SIGNATURE].outputs[INIT_SIGNATURE].name
    else:
        names = [
            node
            for collection in _LEGACY_INIT_COLLECTIONS
            if collection in meta_graph.collection_def
            for node in meta_graph.collection_def[collection].node_list.value
        ]
        if not names:
            return
        if len(names) > 1:
            raise SavedModelError(f"{directory}: expected exactly one main op, found {names}")
        name = names[0]
    _run_target(session, name, assets)


def _run_target(session: tf.compat.v1.Session, name: str, feeds: list[tuple[str, Array]]) -> None:
    graph = session.graph
    operation = graph.get_operation_by_name(name.split(":")[0])
    if operation.type == "NoOp" and not operation.control_inputs:
        return  # TensorFlow would optimize the whole graph before doing nothing
    session.run(operation, {graph.get_tensor_by_name(tensor): value for tensor, value in feeds})
