"""Recurring runs: the backend itself runs a pipeline at the times of a cron expression."""

from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from pipeline.config import Config
from pipeline.cron import six_fields
from pipeline.kubeflow.client import KubeflowError, explained

if TYPE_CHECKING:
    from pipeline.kubeflow.runs import Uploaded


def schedule(
    client: Any,
    config: Config,
    uploaded: "Uploaded",
    experiment: str,
    cron: str,
    max_concurrency: int,
    no_catchup: bool,
) -> Any:
    """Make the recurring run of a model, replacing an earlier one; returns the API's message about it.

    Args:
        client: from `connect`.
        config: its model's name becomes the recurring run's.
        uploaded: what to run.
        experiment: where its runs are listed.
        cron: five fields; the backend reads them in its own time zone, UTC unless it is configured otherwise.
        max_concurrency: runs at a time, 1 to 10.
        no_catchup: whether times that passed while it was paused are made up for with one run, not with one each.

    Raises:
        CronError: the expression is invalid.
    """
    fields = six_fields(cron)
    earlier = [found for found in _all(client) if found.display_name == config.model_name]
    with explained():
        made = client.create_recurring_run(
            experiment_id=client.create_experiment(experiment).experiment_id,
            job_name=config.model_name,
            description=f"{uploaded.version_name} at {cron}",
            cron_expression=fields,
            max_concurrency=max_concurrency,
            no_catchup=no_catchup,
            pipeline_id=uploaded.pipeline_id,
            version_id=uploaded.version_id,
            pipeline_root=config.kubeflow.pipeline_root,
            service_account=config.kubeflow.service_account,
        )
        for old in earlier:
            client.delete_recurring_run(old.recurring_run_id)
    return made


def show(client: Any, console: Console) -> None:
    """List the recurring runs."""
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for column in ("name", "state", "cron (seconds first)", "at a time", "catch up", "made"):
        table.add_column(column)
    found = _all(client)
    for run in found:
        cron = run.trigger.cron_schedule.cron if run.trigger.cron_schedule else "every so often"
        table.add_row(
            run.display_name,
            "active" if run.status == "ENABLED" else "paused",
            cron,
            str(run.max_concurrency),
            "no" if run.no_catchup else "yes",
            f"{run.created_at:%Y-%m-%d %H:%M}",
        )
    console.print(table if found else "There are no schedules.")


def pause(client: Any, name: str) -> None:
    """Stop a recurring run from firing, until `resume`."""
    for run in _named(client, name):
        with explained():
            client.disable_recurring_run(run.recurring_run_id)


def resume(client: Any, name: str) -> None:
    """Let a paused recurring run fire again."""
    for run in _named(client, name):
        with explained():
            client.enable_recurring_run(run.recurring_run_id)


def delete(client: Any, name: str) -> None:
    """Delete a recurring run; the runs that it made stay."""
    for run in _named(client, name):
        with explained():
            client.delete_recurring_run(run.recurring_run_id)


def _named(client: Any, name: str) -> list[Any]:
    everything = _all(client)
    found = [run for run in everything if run.display_name == name]
    if not found:
        known = ", ".join(run.display_name for run in everything) or "none"
        raise KubeflowError(f"no schedule is named {name!r} (there are: {known})")
    return found


def _all(client: Any) -> list[Any]:
    found: list[Any] = []
    token = ""
    with explained():
        while True:
            page = client.list_recurring_runs(page_token=token, page_size=100)
            found += page.recurring_runs or []
            token = page.next_page_token
            if not token:
                return found
