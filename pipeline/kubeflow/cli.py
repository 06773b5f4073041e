"""`slipway kubeflow …`: compile, submit, schedule."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from pipeline import commands
from pipeline.options import DEFAULT_CONFIG, ConfigOption, SetOption, load, new_console

if TYPE_CHECKING:
    from pipeline.config import Config

app = typer.Typer(help="Run the pipeline on Kubeflow Pipelines.", no_args_is_help=True)
HostOption = Annotated[
    str | None, typer.Option("--host", help="URL of the API [env: KF_PIPELINES_ENDPOINT]", show_default=False)
]
NamespaceOption = Annotated[
    str | None,
    typer.Option("--namespace", help="the profile's, on a multi-user Kubeflow", show_default=False),
]
ExperimentOption = Annotated[str, typer.Option("--experiment", help="where its runs are listed")]
NameArgument = Annotated[str, typer.Argument(help="the schedule's name: its model's")]
console: Console = new_console()


@app.command("compile")
def compile_(
    output: Annotated[Path, typer.Option("--output", "-o", help="the package; its name ends in .yaml")],
    config: ConfigOption = DEFAULT_CONFIG,
    overrides: SetOption = None,
) -> None:
    """Write the package that the UI's "Upload pipeline" takes."""
    loaded = load(config, overrides)
    with _quiet():
        from pipeline.kubeflow.package import compile_package

        steps = compile_package(loaded, output)
    for step in steps:
        console.print(Text(f"{step.name}: ", "bold") + Text(", ".join(step.stages)))
    _note_schema(loaded)
    command = commands.slipway("kubeflow submit", config, overrides or [])
    console.print(Text(f"wrote {output}; upload it, or: {command}"), soft_wrap=True)


@app.command()
def submit(
    config: ConfigOption = DEFAULT_CONFIG,
    overrides: SetOption = None,
    experiment: ExperimentOption = "slipway",
    host: HostOption = None,
    namespace: NamespaceOption = None,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="follow the run to its end")] = True,
) -> None:
    """Upload the pipeline, run it, and follow the run; exit codes as `slipway run`."""
    loaded = load(config, overrides)
    client = _connect(host, namespace)
    uploaded = _upload(client, loaded)
    from pipeline.kubeflow import runs

    run = runs.submit(client, loaded, uploaded, experiment)
    console.print(f"run {run.run_id}: {_page(client)}/#/runs/details/{run.run_id}", soft_wrap=True)
    if not wait:
        return
    code = runs.follow(client, console, run.run_id, uploaded.steps)
    if code == 0:
        versions = commands.slipway("versions", config, overrides or [])
        console.print(Text("succeeded", "bold green") + Text(f"; next: {versions}"), soft_wrap=True)
    else:
        console.print(Text("refused" if code == 3 else "failed", "bold red"))
    raise typer.Exit(code)


@app.command()
def schedule(
    cron: Annotated[str, typer.Option(help="minute hour day month day_of_week: '0 3 * * *'")],
    config: ConfigOption = DEFAULT_CONFIG,
    overrides: SetOption = None,
    max_concurrency: Annotated[int, typer.Option(min=1, max=10, help="runs at a time")] = 1,
    no_catchup: Annotated[
        bool,
        typer.Option(
            "--no-catchup/--catchup", help="make up for missed times with one run, or with one each"
        ),
    ] = True,
    experiment: ExperimentOption = "slipway",
    host: HostOption = None,
    namespace: NamespaceOption = None,
) -> None:
    """Let the backend run the pipeline by a cron expression; replaces the model's earlier schedule."""
    from pipeline.cron import six_fields

    fields = six_fields(cron)
    loaded = load(config, overrides)
    client = _connect(host, namespace)
    uploaded = _upload(client, loaded)
    from pipeline.kubeflow import recurring

    recurring.schedule(client, loaded, uploaded, experiment, cron, max_concurrency, no_catchup)
    console.print(
        f"{loaded.model_name} runs at {cron!r} (for the backend {fields!r}; its time zone is UTC unless set otherwise)",
        soft_wrap=True,
    )


@app.command()
def schedules(host: HostOption = None, namespace: NamespaceOption = None) -> None:
    """List the schedules."""
    from pipeline.kubeflow import recurring

    recurring.show(_connect(host, namespace), console)


@app.command()
def pause(name: NameArgument, host: HostOption = None, namespace: NamespaceOption = None) -> None:
    """Stop a schedule for a while."""
    from pipeline.kubeflow import recurring

    recurring.pause(_connect(host, namespace), name)
    console.print(f"{name} is paused")


@app.command()
def resume(name: NameArgument, host: HostOption = None, namespace: NamespaceOption = None) -> None:
    """Continue a paused schedule."""
    from pipeline.kubeflow import recurring

    recurring.resume(_connect(host, namespace), name)
    console.print(f"{name} is active")


@app.command()
def delete(name: NameArgument, host: HostOption = None, namespace: NamespaceOption = None) -> None:
    """Delete a schedule; the runs that it made stay."""
    from pipeline.kubeflow import recurring

    recurring.delete(_connect(host, namespace), name)
    console.print(f"the schedule {name} is deleted")


def _connect(host: str | None, namespace: str | None) -> Any:
    from pipeline.kubeflow.client import connect

    return connect(host, namespace)


def _upload(client: Any, config: "Config") -> Any:
    with _quiet():
        from pipeline.kubeflow import runs

        uploaded = runs.upload(client, config)
    _note_schema(config)
    state = "uploaded" if uploaded.new else "was uploaded before"
    console.print(f"pipeline {config.model_name}, version {uploaded.version_name}: {state}", soft_wrap=True)
    return uploaded


def _note_schema(config: "Config") -> None:
    """Warn if no schema was reviewed: a pod keeps nothing, so no run can use what an earlier one inferred."""
    if not config.schema_path.is_file():
        console.print(
            Text("note: ", "bold yellow")
            + Text(
                f"there is no {config.schema_path}, so every run infers the schema from its own data. Run once here, "
                "then: slipway schema --accept, and build the image with it"
            ),
            soft_wrap=True,
        )


def _page(client: Any) -> str:
    return str(client._get_url_prefix())


def _quiet() -> Any:
    """Keep off the screen what TensorFlow prints when the graph is built."""
    import os

    from pipeline.quiet import prepare_tensorflow, quiet

    prepare_tensorflow()
    return quiet(Path(os.devnull))
