"""Version labels, such as `stable` and `canary`, by TensorFlow Serving's rules."""

from collections.abc import Callable, Mapping

from serving.errors import Code, ServingError, invalid
from serving.manager.model_config import ServedModel

Labels = dict[str, dict[str, int]]


def resolve(labels: Labels, model: str, label: str) -> int:
    """Return the version that a label points to.

    Raises:
        ServingError: there is no such label (INVALID_ARGUMENT).
    """
    try:
        return labels[model][label]
    except KeyError:
        raise invalid(f"Unrecognized servable version label: {label}") from None


def assign(
    old: Labels, wanted: Mapping[str, ServedModel], is_available: Callable[[str, int], bool], *, allow: bool
) -> Labels:
    """Return the labels of a new configuration.

    Args:
        old: the labels until now.
        wanted: the new configuration, by model name.
        is_available: whether a version of a model is available.
        allow: accept new labels for unavailable versions; an existing label can never move to one.

    Raises:
        ServingError: the version of a label is not available (FAILED_PRECONDITION).
    """
    new: Labels = {}
    for name, config in wanted.items():
        for label, version in config.labels.items():
            moved = old.get(name, {}).get(label, version) != version
            if (moved or not allow) and not is_available(name, version):
                raise ServingError(
                    Code.FAILED_PRECONDITION,
                    f"Request to assign label to version {version} of model {name}, which is not currently "
                    "available for inference",
                )
            new.setdefault(name, {})[label] = version
    return new
