"""Operations that TensorFlow does not have: the packages that register them, loaded when a model asks for them.

TensorFlow Serving is built with tf.Text's operations. Here a package is imported once a SavedModel has an operation
that nothing has registered, so that no other model waits for it.
"""

import importlib
import logging
from dataclasses import dataclass
from typing import Any

import tensorflow as tf
from tensorflow.python.framework import op_def_registry

from serving.engine.operations import functions_called

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class OpLibrary:
    """A package of operations.

    Attributes:
        package: what it is called in a registry.
        module: what registers its operations when it is imported.
        prefixes: how the names of its operations begin.
    """

    package: str
    module: str
    prefixes: tuple[str, ...]


#: The older operations of tf.Text are in no namespace: these are all that version 2.21 registers.
_TEXT = """
    TFText> CaseFoldUTF8 ConstrainedSequence FastBertNormalize FastWordpiece FindSourceOffsets MaxSpanningTree
    NormalizeUTF8 PhraseTokenize RegexSplitWithOffsets RougeL SentenceFragments Sentencepiece SplitMergeTokenize
    TokenizerFromLogits UnicodeScriptTokenize WhitespaceTokenize WordpieceTokenize
"""
LIBRARIES = (
    OpLibrary("tensorflow-text", "tensorflow_text", tuple(_TEXT.split())),
    OpLibrary("tensorflow-decision-forests", "tensorflow_decision_forests", ("SimpleML",)),
    OpLibrary("tensorflow-addons", "tensorflow_addons", ("Addons>",)),
    OpLibrary("tensorflow-io", "tensorflow_io", ("IO>",)),
)


def missing_operations(graph_def: Any) -> str:
    """Load the packages that register a graph's operations.

    Args:
        graph_def: a GraphDef. Functions that nothing in it calls do not count: training leaves such behind.

    Returns:
        What is missing and what to do about it; "" if the graph has all that it needs.
    """
    missing = dict.fromkeys(_unregistered(graph_def), "no package that this server loads has it")
    for library in LIBRARIES:
        of_library = [name for name in missing if name.startswith(library.prefixes)]
        if not of_library:
            continue
        problem = (
            _load(library) or f"the installed {library.package} lacks it: install the version of the export"
        )
        for name in of_library:
            if _is_registered(name):
                del missing[name]
            else:
                missing[name] = problem
    reasons = [f"{name}: {reason}" for name, reason in missing.items()]
    return f"Op type not registered: {'; '.join(reasons)}" if reasons else ""


def _load(library: OpLibrary) -> str:
    """Import a library; returns what to do if that is impossible."""
    try:
        importlib.import_module(library.module)
    except ModuleNotFoundError as error:
        if error.name == library.module:
            return f"it is in {library.package}: pip install the version for tensorflow {tf.__version__}"
        return f"it is in {library.package}, which cannot be imported: {error}"
    # A library for another TensorFlow fails in its own way, from a missing symbol to an assertion.
    except Exception as error:
        return (
            f"the installed {library.package} cannot be loaded beside tensorflow {tf.__version__}: install the "
            f"version for that "
            f"({type(error).__name__}: {str(error)[:200]})"
        )
    log.info("loaded %s for a model that has its operations", library.package)
    return ""


def _is_registered(name: str) -> bool:
    return op_def_registry.get(name) is not None


def _unregistered(graph_def: Any) -> list[str]:
    """Return the names of operations that nothing registers, in nodes and in the functions that these call."""
    functions = {function.signature.name: function for function in graph_def.library.function}
    bodies = [graph_def.node, *(function.node_def for function in functions.values())]
    names = {node.op for body in bodies for node in body} - functions.keys()
    unknown = {name for name in names if not _is_registered(name)}
    if not unknown:
        return []
    # Which of them are called takes longer to find out.
    found: set[str] = set()
    seen: set[str] = set()
    waiting = [graph_def.node]
    while waiting:
        for node in waiting.pop():
            found.add(node.op)
            called = ({node.op} | functions_called(node)) & functions.keys() - seen
            seen |= called
            waiting += [functions[name].node_def for name in called]
    return sorted(unknown & found)
