"""The default run as a new user has it: first, again, after changes, and with a worse model."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Done, Workspace

pytestmark = pytest.mark.run
DIGITS = "configs/digits.yaml"
RETRAINED = (
    "train.seed=2",
    "train.epochs=10",
    "evaluate.thresholds=[{lower_bound: 0.8}]",
    "optimize.techniques=[float16]",
    "optimize.max_drop=0.1",
    "optimize.max_slice_drop=1",
    "serve.examples=0",
)


def _run(workspace: Workspace, *overrides: str) -> Done:
    """Picks by size, because on a busy machine the fastest may be another one each time, and a new version."""
    return workspace.run(DIGITS, "optimize.objective=size", *overrides)


@pytest.fixture(scope="module")
def workspace(new_workspace: Callable[[str], Workspace]) -> Workspace:
    return new_workspace("digits")


@pytest.fixture(scope="module")
def first(workspace: Workspace) -> Done:
    return workspace.run_cold(DIGITS, "optimize.objective=size")


@pytest.fixture(scope="module")
def again(workspace: Workspace, first: Done) -> Done:
    return _run(workspace)


def _statuses(output: str) -> dict[str, str]:
    return dict(re.findall(r"^(\w+): (done|cached|unchanged|refused|failed) in", output, re.MULTILINE))


def _files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_first_run_releases_version_1_and_asks_it(workspace: Workspace, first: Done) -> None:
    assert first.code == 0, first.output
    release = workspace.bucket / "digits" / "1"
    assert (release / "model.tflite").is_file()
    assert "pushed: released as version 1 of digits" in first.output
    answers = re.findall(r"image \(\d+ bytes\) +(\d) +(\d) +([01]\.\d+) +([✓✗])", first.output)
    assert len(answers) == 8
    assert sum(truth == answer for truth, answer, _, _ in answers) >= 6
    assert all((truth == answer) == (mark == "✓") for truth, answer, _, mark in answers)
    command = re.search(r"^next  (\S+slipway|slipway) why( --set \S+)*$", first.output, re.MULTILINE)
    assert command is not None


def test_nothing_but_our_own_lines_reaches_the_screen(first: Done) -> None:
    for noise in ("WARNING", "Warning", "cuda", "oneDNN", "Traceback", "deprecated", "I0000"):
        assert noise not in first.output


def test_the_noise_is_in_the_log(workspace: Workspace, first: Done) -> None:
    (log,) = (workspace.path / "runs").glob("*/log.txt")
    name = re.search(r"log: (\S+)", first.output)
    assert name is not None
    assert workspace.path / name[1] in (workspace.path / "runs").glob("*/log.txt")
    assert log.stat().st_size > 1000


def test_the_release_record_says_where_the_model_comes_from(workspace: Workspace, first: Done) -> None:
    record = json.loads((workspace.bucket / "digits" / "1" / "assets.extra" / "release.json").read_text())
    assert [verdict["gate"] for verdict in record["verdicts"]] == ["data", "evaluate", "optimize", "canary"]
    assert record["verdicts"][1]["digest"] == record["verdicts"][2]["baseline_digest"]
    assert record["verdicts"][2]["digest"] == record["verdicts"][3]["digest"] == record["digest"]
    assert record["lineage"]["candidate_digest"] == record["verdicts"][1]["digest"]
    assert record["variant"] in ("float16", "int8_dynamic", "int8")
    assert record["lineage"]["config"]["model_name"] == "digits"
    assert record["lineage"]["data_fingerprint"]
    assert record["signatures"] == ["serve_examples", "serving_default"]
    assert "assets.extra/tf_serving_warmup_requests" in record["files"]


def test_the_second_run_caches_every_stage_and_pushes_nothing(workspace: Workspace, again: Done) -> None:
    assert again.code == 0, again.output
    statuses = _statuses(again.output)
    assert statuses.pop("Pusher") == "unchanged"
    assert set(statuses.values()) == {"cached"}
    assert "already released as version 1 of digits; nothing pushed" in again.output
    assert [path.name for path in (workspace.bucket / "digits").glob("[0-9]*")] == ["1"]


def test_a_changed_gate_runs_only_the_gate_again(workspace: Workspace, again: Done) -> None:
    done = _run(workspace, "evaluate.min_examples=31")
    statuses = _statuses(done.output)
    assert statuses["Evaluator"] == "done"
    assert {name for name, status in statuses.items() if status == "cached"} >= {
        "Ingest",
        "Transform",
        "Trainer",
    }
    assert done.code == 0


def test_why_explains_a_pass_for_the_run_and_for_the_version(workspace: Workspace, again: Done) -> None:
    for argument in ((), ("1",)):
        explained = workspace.slipway("why", *argument)
        assert explained.code == 0, explained.output
        assert "The model (Gate 1): passed" in explained.output
        assert "stroke_weight = thin" in explained.output
        assert "The optimized variants (Gate 2): passed" in explained.output
        assert "In a server (Gate 3): passed" in explained.output
    (picture,) = {path.read_text()[:15] for path in (workspace.path / "runs").glob("*/tradeoff.html")}
    assert picture.lower().startswith("<!doctype html")


def test_a_worse_model_is_refused_by_slice_and_the_bucket_is_untouched(
    workspace: Workspace, again: Done
) -> None:
    before = _files(workspace.bucket)
    worse = ("train.epochs=1", "model.hyperparameters={filters: [2], dense: 4}")
    lenient = "evaluate.thresholds=[{metric: accuracy, max_drop: 0.02, slices: [stroke_weight]}]"
    done = _run(workspace, *worse, lenient)
    assert done.code == 3, done.output
    assert _statuses(done.output)["Evaluator"] == "refused"
    assert "Pusher: running" not in done.output
    assert _files(workspace.bucket) == before
    explained = workspace.slipway("why")
    assert "The model (Gate 1): REFUSED" in explained.output
    assert "compared with version 1" in explained.output
    assert re.search(
        r"accuracy on stroke_weight = \w+ is 0\.\d+ and must be at least 0\.\d+ .* misses it by 0\.\d+",
        explained.output,
    )


def test_versions_rollback_and_a_withdrawn_model(workspace: Workspace, again: Done) -> None:
    retrained = _run(workspace, *RETRAINED)
    assert retrained.code == 0, retrained.output
    assert "released as version 2" in retrained.output
    back = workspace.slipway("rollback", "--to", "1", "--reason", "complaints")
    assert back.code == 0, back.output
    saved = [(workspace.bucket / "digits" / name / "model.tflite").read_bytes() for name in ("1", "3")]
    assert saved[0] == saved[1]
    listed = workspace.slipway("versions").output
    assert re.search(r"^ +3 .*served by default \(rollback to 1\)", listed, re.MULTILINE)
    explained = workspace.slipway("why", "3").output
    assert "rolled back from version 2" in explained
    assert "complaints" in explained
    withdrawn = _run(workspace, *RETRAINED)
    assert withdrawn.code == 3, withdrawn.output
    assert "rolled back from" in withdrawn.output
    assert not (workspace.bucket / "digits" / "4").exists()


def test_errors_of_the_user_are_short_and_name_the_way_out(workspace: Workspace, first: Done) -> None:
    for arguments, said in (
        (("why", "99"), "99"),
        (("why", "nonsense"), "there is no run 'nonsense'"),
        (("rollback", "--to", "42"), "42"),
        (("versions", "-c", "configs/absent.yaml"), "configs/absent.yaml: no such file (there are:"),
    ):
        done = workspace.slipway(*arguments)
        assert done.code == 2, done.output
        assert said in done.output
        assert "Traceback" not in done.output


def test_the_schema_is_shown_and_accepted_without_another_run(workspace: Workspace, again: Done) -> None:
    assert "string_domain" in workspace.slipway("schema").output
    accepted = workspace.slipway("schema", "--accept")
    assert accepted.code == 0, accepted.output
    assert (workspace.path / "data" / "schemas" / "digits.pbtxt").is_file()
    done = _run(workspace, "serve.examples=0")
    statuses = _statuses(done.output)
    assert {statuses[name] for name in ("SchemaGen", "Transform", "Trainer")} == {"cached"}
