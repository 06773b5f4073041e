"""Training on several devices or machines: the strategy, and this process's place among the workers."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from components.train.config import Strategy
from serving.errors import UserError

_EXAMPLE = '{"cluster": {"worker": ["host0:2222", "host1:2222"]}, "task": {"type": "worker", "index": 0}}'


class ClusterError(UserError, ValueError):
    """TF_CONFIG is missing or invalid; the message says what is wrong and shows a valid one."""


@dataclass(frozen=True)
class Cluster:
    """The workers that TF_CONFIG lists.

    Attributes:
        chief: host:port of the worker that writes: the chief, or worker 0 if there is none.
        size: how many workers there are, the chief included.
        is_chief: whether this process is that worker.
    """

    chief: str
    size: int
    is_chief: bool


def read_cluster(environment: Mapping[str, str]) -> Cluster:
    """Read TF_CONFIG, as a TFJob or the user sets it for every worker.

    Raises:
        ClusterError: it is missing or malformed, or this is neither a worker nor the chief.
    """
    text = environment.get("TF_CONFIG")
    if not text:
        raise ClusterError(
            f"train.strategy is multi_worker_mirrored, which needs TF_CONFIG in the environment: {_EXAMPLE}"
        )
    try:
        raw = json.loads(text)
        hosts = {kind: [str(host) for host in raw["cluster"].get(kind, [])] for kind in ("chief", "worker")}
        kind, index = raw["task"]["type"], int(raw["task"]["index"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ClusterError(f"TF_CONFIG is invalid ({error!r}); an example: {_EXAMPLE}") from error
    if kind not in hosts:
        raise ClusterError(
            f"TF_CONFIG: task.type is {kind!r}; multi_worker_mirrored has chief and worker only"
        )
    if not 0 <= index < len(hosts[kind]):
        raise ClusterError(f"TF_CONFIG: task.index is {index}, but cluster.{kind} lists {hosts[kind]}")
    everyone = hosts["chief"] + hosts["worker"]
    return Cluster(everyone[0], len(everyone), is_chief=hosts[kind][index] == everyone[0])


def open_strategy(name: Strategy | None) -> Any:
    """Make the `tf.distribute` strategy; for None the default one, which changes nothing.

    `multi_worker_mirrored` waits for all workers to connect, and must be made before TensorFlow computes anything.
    """
    import tensorflow as tf

    if name == "mirrored":
        return tf.distribute.MirroredStrategy()
    if name == "multi_worker_mirrored":
        return tf.distribute.MultiWorkerMirroredStrategy()
    return tf.distribute.get_strategy()
