"""`slipway predict` and `python -m serving.predict`: predictions for files, from the command line."""

import argparse
import csv
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

from serving.client import Client, PredictError
from serving.client.rows import Row, RowError, read_rows
from serving.messages.dtypes import Array
from serving.messages.tfrecord import RecordError

_PROGRESS_FROM = 100


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code: 0, 1 for an error of the server or a file, 2 for invalid arguments."""
    options = _parser().parse_args(arguments)
    try:
        cert = (options.cert, options.key) if options.cert else None
        token = Path(options.token_file).read_text().strip() if options.token_file else None
        with Client(
            options.url,
            options.model,
            version=options.version,
            label=options.label,
            signature_name=options.signature,
            timeout=options.timeout,
            retries=options.retries,
            token=token,
            ca=options.ca,
            cert=cert,
        ) as client:
            rows = _rows(options, client)
            with _open(options.output) as out:
                _write(_predict(client, rows, options.batch_size), options.format, out)
    except (PredictError, RowError, RecordError, ValueError, OSError) as error:
        print(f"slipway predict: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="slipway predict", description="Requests predictions from a model server."
    )
    add = parser.add_argument
    add("inputs", nargs="*", help="files or folders: .csv, .jsonl, .tfrecord, .txt, images")
    add("--data", action="append", default=[], help="an input value, as JSON or as text")
    add(
        "--url",
        default="http://localhost:8501",
        help="http://, https://, grpc:// or grpcs://, then HOST:PORT",
    )
    add("--model", default="default", help="the model's name")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--version", type=int, help="its version; the latest by default")
    which.add_argument("--label", help="label of the version, instead of --version")
    add("--signature", default="", help="the signature; serving_default by default")
    add("--format", choices=("table", "csv", "jsonl"), default="table", help="format of the results")
    add("--output", help="file for the results; standard output by default")
    add("--batch_size", type=int, default=32, help="rows per request")
    add("--timeout", type=float, default=30.0, help="timeout of a request in seconds, including retries")
    add("--retries", type=int, default=3, help="how often to retry if the server is busy or unavailable")
    add("--token_file", help="file with the bearer token")
    add("--ca", help="file with the server's certificate authority")
    add("--cert", help="file with the client's certificate")
    add("--key", help="file with the certificate's key")
    return parser


def _rows(options: argparse.Namespace, client: Client) -> list[Row] | Iterator[Row]:
    fields = client.fields()
    inputs = fields.inputs
    given = [_given(text, inputs) for text in options.data]
    if not options.inputs:
        if not given:
            raise RowError("nothing to predict on: pass files or --data")
        return given
    missing = [path for path in options.inputs if not Path(path).exists()]
    if missing:
        raise RowError(f"{missing[0]}: no such file")
    return (row for path in options.inputs for row in read_rows(Path(path), inputs, fields.defaults))


def _given(text: str, inputs: Any) -> Row:
    try:
        value = json.loads(text)
    except ValueError:
        value = text
    if isinstance(value, dict):
        return value
    if len(inputs) != 1:
        raise RowError(
            f"the model has the inputs {sorted(inputs)}; pass --data as an object with a value for each"
        )
    return {next(iter(inputs)): value}


def _predict(client: Client, rows: Iterable[Row], size: int) -> Iterator[dict[str, Any]]:
    """Yield one result per row, requested in batches."""
    from rich.progress import MofNCompleteColumn, Progress, SpinnerColumn, TimeElapsedColumn

    source = iter(rows)
    total = len(rows) if isinstance(rows, list) else None
    columns = (SpinnerColumn(), "rows", MofNCompleteColumn(), TimeElapsedColumn())
    hidden = not sys.stderr.isatty() or (total is not None and total < _PROGRESS_FROM)
    from rich.console import Console

    with Progress(*columns, console=Console(stderr=True), transient=True, disable=hidden) as progress:
        task = progress.add_task("rows", total=total)
        while batch := list(islice(source, max(size, 1))):
            names = dict.fromkeys(alias for row in batch for alias in row)
            outputs = client.predict({alias: [row.get(alias) for row in batch] for alias in names})
            for position in range(len(batch)):
                yield {name: _plain(value[position]) for name, value in outputs.items()}
            progress.advance(task, len(batch))


def _plain(value: Array | bytes | Any) -> Any:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if hasattr(value, "tolist"):
        return _plain(value.tolist()) if getattr(value, "ndim", 0) == 0 else [_plain(item) for item in value]
    return value


def _write(results: Iterator[dict[str, Any]], kind: str, out: TextIO) -> None:
    if kind == "jsonl":
        for result in results:
            out.write(json.dumps(result) + "\n")
        return
    first = next(results, None)
    if first is None:
        return
    names = list(first)
    if kind == "csv":
        writer = csv.writer(out)
        writer.writerow(names)
        writer.writerow([_text(first[name]) for name in names])
        for result in results:
            writer.writerow([_text(result[name]) for name in names])
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(*names, box=None)
    table.add_row(*(_text(first[name]) for name in names))
    for result in results:
        table.add_row(*(_text(result[name]) for name in names))
    Console(file=out, soft_wrap=True).print(table)


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list):
        return "[" + ", ".join(_text(item) for item in value) + "]"
    return str(value)


def _open(path: str | None) -> Any:
    from contextlib import nullcontext

    return Path(path).open("w", newline="") if path else nullcontext(sys.stdout)


if __name__ == "__main__":
    sys.exit(main())
