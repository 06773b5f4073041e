"""`slipway flink …`: a Flink on this machine for the data stages."""

from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from pipeline.options import new_console

app = typer.Typer(help="Start a Flink on this machine for the data stages.", no_args_is_help=True)
FolderOption = Annotated[Path, typer.Option("--folder", help="where pids, logs and settings are kept")]
FOLDER = Path(".flink")
console = new_console()


@app.command()
def up(
    standalone: Annotated[
        bool,
        typer.Option(
            "--standalone", help="JobManager and TaskManager as JVMs of their own, not inside the job server"
        ),
    ] = False,
    parallelism: Annotated[int, typer.Option(min=1, help="task slots, and so partitions of the data")] = 2,
    job_port: Annotated[int, typer.Option(help="where Beam finds the job server")] = 8099,
    rest_port: Annotated[int, typer.Option(help="of the JobManager, with --standalone")] = 8081,
    rpc_port: Annotated[int, typer.Option(help="of the JobManager too, for the TaskManager")] = 6123,
    heap: Annotated[str, typer.Option(help="of each JVM, as Java takes it")] = "1g",
    folder: FolderOption = FOLDER,
) -> None:
    """Start Beam's job server with a Flink; the first time its jars are fetched."""
    from pipeline.flink.config import Settings
    from pipeline.flink.processes import up as start

    settings = Settings(standalone, job_port, rest_port, rpc_port, parallelism, heap)
    running = start(settings, folder)
    names = ", ".join(f"{one.name} (pid {one.pid})" for one in running.processes)
    console.print(Text("up: ", "bold green") + Text(f"{names}; logs in {folder}"), soft_wrap=True)
    console.print(f"next  {_run_command(settings.job_endpoint)}\n      slipway flink down", soft_wrap=True)


@app.command()
def down(folder: FolderOption = FOLDER) -> None:
    """Stop what `up` started."""
    from pipeline.flink.processes import down as end

    ended = end(folder)
    console.print(f"ended: {', '.join(ended)}" if ended else "nothing was running")


@app.command()
def status(folder: FolderOption = FOLDER) -> None:
    """Show what runs; exit code 1 if Beam cannot use it."""
    from pipeline.flink.processes import last_words, log_file, read

    running = read(folder)
    if running is None:
        console.print("not running; slipway flink up starts it")
        raise typer.Exit(1)
    for one in running.processes:
        if one.find():
            state = f"pid {one.pid}"
        else:
            state = f"ended; its log ends with: {last_words(log_file(folder, one.name), 1)}"
        console.print(f"{one.name}: {state}", soft_wrap=True)
    if not running.answers():
        console.print(
            Text("it is not usable", "bold red") + Text(f"; logs in {folder}; slipway flink down, then up")
        )
        raise typer.Exit(1)
    console.print(f"{running.settings.job_endpoint} answers")
    console.print(f"next  {_run_command(running.settings.job_endpoint)}", soft_wrap=True)


def _run_command(endpoint: str) -> str:
    return f"slipway run --runner flink --set beam.options.flink.job_endpoint={endpoint}"
