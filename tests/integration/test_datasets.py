"""Real data: MNIST's images and SMS spam, by their shipped configurations, to the quality that these promise."""

import re
from collections.abc import Callable

import pytest

from serving.release.record import latest_release
from tests.conftest import REPOSITORY, Workspace

DATASETS = (REPOSITORY / ".." / "shared" / "datasets").resolve()
pytestmark = [
    pytest.mark.tables,
    pytest.mark.skipif(not DATASETS.is_dir(), reason=f"the public data sets are not in {DATASETS}"),
]


def _values(workspace: Workspace, config: str) -> dict[str, float]:
    """Read Gate 1's values on all examples off `slipway why`."""
    explained = workspace.slipway("why", "-c", config).output
    gate_1 = explained.partition("Gate 1")[2].partition("Gate 2")[0]
    return {
        metric.strip(): float(value)
        for metric, value in re.findall(
            r"^✓ +([\w ]+?) {2,}all examples +[\d,]+ +([\d.]+)", gate_1, re.MULTILINE
        )
    }


@pytest.mark.parametrize(
    ("name", "epochs", "least"),
    [("mnist", 5, {"accuracy": 0.97}), ("sms_spam", 4, {"accuracy": 0.97, "recall of spam": 0.90})],
)
def test_a_shipped_configuration_passes_its_gates(
    new_workspace: Callable[[str], Workspace], name: str, epochs: int, least: dict[str, float]
) -> None:
    workspace = new_workspace(name)
    shared = workspace.path.parent / "shared"
    if not shared.exists():  # the configurations look beside the working folder
        shared.symlink_to(DATASETS.parent)
    config = f"configs/{name}.yaml"
    done = workspace.run(config, f"train.epochs={epochs}", "optimize.techniques=[int8_dynamic]")
    assert done.code == 0, done.output
    values = _values(workspace, config)
    assert set(values) >= set(least), values
    assert all(values[metric] >= bound for metric, bound in least.items()), values
    release = latest_release(workspace.bucket, name)
    assert release is not None
    assert release.version == 1
    assert done.output.count("✓") >= 6
