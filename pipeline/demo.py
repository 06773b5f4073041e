"""The demonstration after a push: the released model in a server process, with answers to real examples."""

from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table
from rich.text import Text

from components.names import CLASS_NAME, PROBABILITIES, SERVING
from components.raw import example_files, golden_examples, raw_inputs, text_of
from pipeline.config import Config
from serving.client import Client
from serving.client.local import ServerError, own_server, serve, wait_until_ready
from serving.engine.saved_model import read_signatures
from serving.engine.signature import DEFAULT_SIGNATURE
from serving.release.open import open_bucket

_START_SECONDS = 60.0
#: Columns of a wide table that are shown.
_SHOWN_INPUTS = 12


def demonstrate(config: Config, outputs: dict[str, dict[str, str]], folder: Path) -> Table:
    """Serve the bucket, send real examples of the evaluation split, and put the answers beside the truth.

    Args:
        config: of the run.
        outputs: its artifacts' folders by stage and key.
        folder: of the run, for the server's log.

    Raises:
        ServerError: the server did not start.
        PredictError: the server refused a request.
    """
    files = example_files(outputs["Ingest"]["examples"], config.evaluation_split)
    signature = read_signatures(Path(outputs["Trainer"]["model"]) / SERVING)[DEFAULT_SIGNATURE]
    real, _ = golden_examples(files, signature, config.serve.examples)
    sent = raw_inputs(real, signature)
    base = f"{open_bucket(config.push.bucket).url}/{config.model_name}"
    command = own_server(f"--model_name={config.model_name}", f"--model_base_path={base}")
    with serve(command, folder / "server.log") as server:
        try:
            wait_until_ready(server, config.model_name, _START_SECONDS)
        except ServerError as error:
            tail = "\n".join(server.last_lines(5))
            raise ServerError(f"{error}; the end of {server.log}:\n{tail}") from error
        with Client(server.rest, config.model_name) as client:
            answers = client.predict(sent)
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="dim")
    for heading in ("sent", "truth", "answer", "probability", ""):
        table.add_column(heading, overflow="ellipsis", no_wrap=True)
    some = dict(islice(sent.items(), _SHOWN_INPUTS))
    rows = zip(real, answers[CLASS_NAME], answers[PROBABILITIES], strict=True)
    for index, (example, label, probabilities) in enumerate(rows):
        truth, answer = text_of(example, config.data.label), label.decode()
        shown = ", ".join(
            _shown(name, value[index], signature.defaults.get(name)) for name, value in some.items()
        )
        mark = Text("✓", "green") if truth == answer else Text("✗", "red")
        table.add_row(Text(shown), truth, answer, f"{probabilities.max():.3f}", mark)
    return table


def _shown(name: str, value: Any, default: Any) -> str:
    """Show a value as it was sent; a missing one as a dash."""
    if isinstance(value, np.ndarray):
        return "[" + ", ".join(_shown(name, item, default) for item in value.tolist()) + "]"
    if isinstance(value, bytes) and value.startswith((b"\x89PNG", b"\xff\xd8", b"GIF8", b"BM")):
        return f"{name} ({len(value)} bytes)"
    if default is not None and (value == default.ravel()[0] or value != value):
        return "–"
    text = value.decode(errors="replace") if isinstance(value, bytes) else _number(value)
    return text if len(text) <= 60 else text[:59] + "…"


def _number(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float | np.floating) else str(value)
