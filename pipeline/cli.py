"""The `slipway` command line. Heavy imports are inside the commands, so that `--help` answers at once."""

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from pipeline.flink.cli import app as flink
from pipeline.kubeflow.cli import app as kubeflow
from pipeline.options import DEFAULT_CONFIG, ConfigOption, SetOption, new_console
from pipeline.options import load as _load
from serving.errors import UserError

_SOURCES = Path(__file__).resolve().parent.parent

app = typer.Typer(
    help="From raw data to a gated, versioned model that answers.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.add_typer(flink, name="flink")
app.add_typer(kubeflow, name="kubeflow")
console = new_console()


def _show_version(wanted: bool) -> None:
    if wanted:
        from serving.version import commit, version

        console.print(f"slipway {version()}" + (f" (commit {commit()})" if commit() else ""), soft_wrap=True)
        raise typer.Exit


@app.callback()
def slipway(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="print the version and end"),
    ] = False,
) -> None:
    """From raw data to a gated, versioned model that answers."""


@app.command()
def run(
    config: ConfigOption = DEFAULT_CONFIG,
    overrides: SetOption = None,
    runner: Annotated[
        str | None,
        typer.Option(
            help="where Beam runs the data stages: direct (in this process), flink, dataflow or spark",
            metavar="RUNNER",
            show_default="beam.runner",
        ),
    ] = None,
) -> None:
    """Run the pipeline on this machine, from data to a served answer."""
    if runner:
        overrides = [*(overrides or []), f"beam.runner={runner}"]
    loaded = _load(config, overrides)
    from pipeline.run import run as run_pipeline

    raise typer.Exit(run_pipeline(loaded, config, overrides or []))


@app.command("train-worker")
def train_worker(
    config: ConfigOption = DEFAULT_CONFIG,
    overrides: SetOption = None,
    patience: Annotated[float, typer.Option(help="seconds to wait for the chief to train")] = 86_400,
) -> None:
    """Train beside the chief, by TF_CONFIG: for every worker but the one where the pipeline runs."""
    loaded = _load(config, overrides)
    from pipeline.run import train_worker as work

    work(loaded, patience)


@app.command()
def why(
    what: Annotated[
        str | None, typer.Argument(help="a run's name or a version's number; the latest run if left out")
    ] = None,
    config: ConfigOption = DEFAULT_CONFIG,
    overrides: SetOption = None,
) -> None:
    """Explain in words what the gates decided, for a run or for a released version."""
    from pipeline.why import explain

    explain(console, _load(config, overrides), what)


@app.command()
def versions(config: ConfigOption = DEFAULT_CONFIG, overrides: SetOption = None) -> None:
    """List the released versions, and what is served by default."""
    from pipeline.versions import show

    show(console, _load(config, overrides))


@app.command()
def rollback(
    to: Annotated[int, typer.Option(help="the version whose model is to be served again")],
    reason: Annotated[str, typer.Option(help="recorded in the release")] = "",
    config: ConfigOption = DEFAULT_CONFIG,
    overrides: SetOption = None,
) -> None:
    """Serve an older model again: it becomes the newest version, and the models released after it are withdrawn."""
    from pipeline.versions import roll_back

    roll_back(console, _load(config, overrides), to, reason)


@app.command()
def label(
    name: Annotated[str, typer.Argument(help="such as stable or canary")],
    version: Annotated[
        int | None, typer.Argument(help="the version it is to name; removed if left out")
    ] = None,
    config: ConfigOption = DEFAULT_CONFIG,
    overrides: SetOption = None,
) -> None:
    """Name a version, which keeps it from being deleted as old."""
    from pipeline.versions import set_version_label

    set_version_label(console, _load(config, overrides), name, version)


@app.command()
def schema(
    diff: Annotated[
        bool, typer.Option("--diff", help="say how the latest run's data differs from the schema, by column")
    ] = False,
    update: Annotated[
        bool, typer.Option("--update", help="take what the latest run's data has, and data.classes, into it")
    ] = False,
    accept: Annotated[
        bool, typer.Option("--accept", help="keep the inferred schema as the reviewed one")
    ] = False,
    config: ConfigOption = DEFAULT_CONFIG,
    overrides: SetOption = None,
) -> None:
    """Show the schema that runs go by, compare it with new data, update it, accept the inferred one as reviewed."""
    if diff + update + accept > 1:
        raise typer.BadParameter("give one of --diff, --update and --accept")
    loaded = _load(config, overrides)
    from pipeline import schema as schemas

    used = schemas.Invocation(loaded, config, overrides or [])
    if not (diff or update):
        (schemas.accept if accept else schemas.show)(console, used)
        return
    from pipeline.quiet import quiet

    with quiet(Path(os.devnull)) as screen:  # TensorFlow, which reads statistics, talks
        (schemas.update if update else schemas.compare)(screen, used)


@app.command()
def schedule(
    cron: Annotated[str, typer.Option(help="minute hour day month day_of_week: '0 3 * * *'; local time")],
    config: ConfigOption = DEFAULT_CONFIG,
    overrides: SetOption = None,
) -> None:
    """Run the pipeline on this machine by a cron expression, one run at a time, until stopped."""
    loaded = _load(config, overrides)
    from pipeline.schedule import keep_running, run_command

    keep_running(console, loaded, cron, run_command(config, overrides or []))


@app.command()
def doctor(config: ConfigOption = DEFAULT_CONFIG, overrides: SetOption = None) -> None:
    """Check this machine: what is there, what is missing, and what to do about it."""
    loaded = _load(config, overrides)
    from pipeline.doctor import examine
    from pipeline.quiet import quiet

    # Looking at the data imports TensorFlow, which talks.
    with quiet(Path(os.devnull)) as screen:
        code = examine(screen, loaded)
    raise typer.Exit(code)


#: The server and its client have command lines of their own, without TFX; these two hand everything on to them.
_HANDED_ON: dict[str, Any] = {
    "context_settings": {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []},
    "add_help_option": False,
}


@app.command(**_HANDED_ON)
def serve(context: typer.Context) -> None:
    """Run the model server; its flags are those of tensorflow_model_server."""
    from serving.serve import main as server

    raise typer.Exit(server(context.args))


@app.command(**_HANDED_ON)
def predict(context: typer.Context) -> None:
    """Ask a model server for predictions: for files, folders, or a value given right here."""
    from serving.predict import main as client

    raise typer.Exit(client(context.args))


def _put_working_folder_last() -> None:
    """Let `data.make` name a module of the user's, and let nothing in the working folder hide one of ours."""
    here = str(Path.cwd())
    paths = [path for path in sys.path if path not in ("", here)]
    # Where ours are installed for editing, what finds them comes after the path as a whole.
    ours = [] if str(_SOURCES) in paths else [str(_SOURCES)]
    sys.path[:] = [*paths, *ours, here]


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; an error of the user's is one line or a few on stderr, and exit code 2."""
    _put_working_folder_last()
    try:
        app(arguments)
    except UserError as error:
        Console(stderr=True, highlight=False).print(Text(str(error), "red"), soft_wrap=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
