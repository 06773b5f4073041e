"""TensorFlow Serving's batching parameters, and reading them from a file."""

import os
from dataclasses import dataclass, field
from typing import Any

from serving.messages.declared import BatchingParameters
from serving.messages.text_config import ServerConfigError, read_text


@dataclass(frozen=True)
class BatchingOptions:
    """TensorFlow Serving's batching parameters and their defaults.

    Attributes:
        share: ours: what waits is divided among the threads that are free, so that none of them has nothing to do.
    """

    max_batch_size: int = 1000
    batch_timeout_micros: int = 0
    max_enqueued_batches: int = 1_000_000
    num_batch_threads: int = field(default_factory=lambda: os.cpu_count() or 1)
    allowed_batch_sizes: tuple[int, ...] = ()
    pad_variable_length_inputs: bool = False
    enable_large_batch_splitting: bool = False
    max_execution_batch_size: int = 0
    share: bool = False

    @property
    def largest_run(self) -> int:
        """The maximum number of rows in one run of the model."""
        if self.enable_large_batch_splitting and self.max_execution_batch_size:
            return self.max_execution_batch_size
        return self.max_batch_size


#: How requests are joined where nothing is configured: none waits, and a large one runs by itself.
NATURAL = BatchingOptions(max_batch_size=128, share=True)
MOST_JOINED_ROWS = 32


def read_batching(path: str) -> BatchingOptions:
    """Return the parameters of a BatchingParameters file.

    Raises:
        ServerConfigError: the file cannot be read, or its values are invalid.
    """
    message = read_text(path, BatchingParameters())
    given: dict[str, Any] = {
        name: getattr(message, name).value
        for name in (
            "max_batch_size",
            "batch_timeout_micros",
            "max_enqueued_batches",
            "num_batch_threads",
            "enable_large_batch_splitting",
            "max_execution_batch_size",
        )
        if message.HasField(name)
    }
    options = BatchingOptions(
        allowed_batch_sizes=tuple(message.allowed_batch_sizes),
        pad_variable_length_inputs=message.pad_variable_length_inputs,
        **given,
    )
    for name in ("max_batch_size", "max_enqueued_batches", "num_batch_threads"):
        if getattr(options, name) < 1:
            raise ServerConfigError(f"{path}: {name} must be at least 1, not {getattr(options, name)}")
    if options.batch_timeout_micros < 0:
        raise ServerConfigError(
            f"{path}: batch_timeout_micros must not be negative: {options.batch_timeout_micros}"
        )
    sizes = options.allowed_batch_sizes
    if sizes and (list(sizes) != sorted(set(sizes)) or sizes[-1] != options.largest_run):
        raise ServerConfigError(
            f"{path}: allowed_batch_sizes must be in ascending order and end with {options.largest_run}, the "
            f"largest batch; they are {list(sizes)}"
        )
    return options
