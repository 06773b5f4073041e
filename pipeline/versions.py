"""`slipway versions`, `rollback` and `label`: the bucket as people see it."""

from rich.console import Console
from rich.table import Table
from rich.text import Text

from components.names import OVERALL
from components.verdict import Verdict
from pipeline.config import Config
from serving.release.record import Release, list_versions, releases
from serving.release.retention import labels, set_label
from serving.release.rollback import rollback


def show(console: Console, config: Config) -> None:
    """List the versions of a model, newest first."""
    bucket, name = config.push.bucket, config.model_name
    found = {release.version: release for release in releases(bucket, name)}
    numbers = list_versions(bucket, name)
    if not numbers:
        console.print(f"{bucket}/{name} has no version yet; python run_local.py releases one")
        return
    named = labels(bucket, name)
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 3, 0, 0))
    for heading in ("version", "released", "variant", "size", "digest", "accuracy", "labels", ""):
        table.add_column(heading, justify="right" if heading in ("version", "size", "accuracy") else "left")
    for number in reversed(numbers):
        release = found.get(number)
        newest = Text("served by default", "green") if number == numbers[-1] else Text("")
        own_labels = ", ".join(sorted(key for key, value in named.items() if value == number))
        if release is None:
            table.add_row(str(number), "by hand, without a record", "", "", "", "", own_labels, newest)
            continue
        note = newest + Text(
            f" (rollback to {release.rollback.to_version})" if release.rollback else "", "yellow"
        )
        table.add_row(
            str(number),
            release.created.replace("T", " ").removesuffix("+00:00"),
            release.variant,
            f"{release.size_bytes / 1024:,.0f} KiB",
            release.digest[:12],
            _accuracy(release),
            own_labels,
            note,
        )
    console.print(table)


def _accuracy(release: Release) -> str:
    """Read from the verdicts the accuracy of what was released, else of the model it was made from."""
    checks = [check for raw in release.verdicts for check in Verdict.model_validate(raw).checks]
    values = {check.metric: check.value for check in reversed(checks) if check.slice == OVERALL}
    value = values.get(f"{release.variant}: accuracy", values.get("accuracy"))
    return "" if value is None else f"{value:.4f}"


def roll_back(console: Console, config: Config, to: int, reason: str) -> None:
    """Release an old version's model again."""
    outcome = rollback(config.push.bucket, config.model_name, to, reason)
    console.print(outcome.message, soft_wrap=True)


def set_version_label(console: Console, config: Config, name: str, version: int | None) -> None:
    """Set or remove a label."""
    set_label(config.push.bucket, config.model_name, name, version)
    console.print(f"label {name} removed" if version is None else f"label {name} names version {version}")
