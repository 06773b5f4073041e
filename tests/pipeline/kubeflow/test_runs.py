import io
from typing import Any

import pytest
from rich.console import Console

from pipeline.config import Config
from pipeline.cron import CronError
from pipeline.kubeflow import recurring, runs
from pipeline.kubeflow.client import KubeflowError, connect
from tests.pipeline.kubeflow.api import TIME, Api


def _task(name: str, state: str, start: str, end: str | None, pod: str = "") -> dict[str, Any]:
    task: dict[str, Any] = {"display_name": name, "state": state, "start_time": TIME.format(start)}
    if end:
        task["end_time"] = TIME.format(end)
    return {**task, "child_tasks": [{"pod_name": pod}] if pod else []}


def _run(state: str, *tasks: Any) -> dict[str, Any]:
    return {"run_id": "run-1", "state": state, "run_details": {"task_details": list(tasks)}}


def _follow(api: Api) -> tuple[int, str]:
    said = io.StringIO()
    steps = {"look-up": "Look up", "train": "Train", "evaluate": "Evaluate"}
    return runs.follow(connect(), Console(file=said, width=140), "run-1", steps), said.getvalue()


def test_a_package_is_uploaded_once_and_a_changed_one_as_another_version(api: Api, config: Config) -> None:
    client = connect()
    first = runs.upload(client, config)
    again = runs.upload(client, config)
    changed = config.model_copy(update={"train": config.train.model_copy(update={"epochs": 3})})
    other = runs.upload(client, changed)
    assert (first.new, again.new, other.new) == (True, False, True)
    assert first.version_id == again.version_id != other.version_id
    (made,) = api.sent("POST", "/pipelines")
    assert made.body["display_name"] == "digits"
    sent, _ = api.sent("POST", "/upload_version")
    assert sent.query == {"name": first.version_name, "pipelineid": "pipeline-1"}
    assert "pipelineInfo:" in sent.body
    assert first.steps["prepare-data"] == "Prepare data"


def test_a_run_is_asked_for_by_the_versions_id(api: Api, config: Config) -> None:
    client = connect()
    uploaded = runs.Uploaded("pipeline-1", "version-7", "digits-abc", True, {})
    settings = config.kubeflow.model_copy(update={"pipeline_root": "s3://a/b", "service_account": "runner"})
    run = runs.submit(client, config.model_copy(update={"kubeflow": settings}), uploaded, "mine")
    assert run.run_id == "run-1"
    (sent,) = api.sent("POST", "/runs")
    assert sent.body["display_name"].startswith("digits 20")
    assert sent.body["experiment_id"] == "experiment-1"
    assert sent.body["pipeline_version_reference"] == {
        "pipeline_id": "pipeline-1",
        "pipeline_version_id": "version-7",
    }
    assert sent.body["runtime_config"]["pipeline_root"] == "s3://a/b"
    assert sent.body["service_account"] == "runner"
    assert api.experiments[0]["display_name"] == "mine"


def test_a_run_is_followed_and_what_was_cached_is_said(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "_POLL_SECONDS", 0.0)
    look = [_task("look-up-driver", "SUCCEEDED", "00", "01"), _task("look-up", "SUCCEEDED", "01", "02")]
    train = [_task("train-driver", "SUCCEEDED", "02", "03"), _task("train", "SUCCEEDED", "03", "03")]
    api.run_states = [
        {"run_id": "run-1", "state": "PENDING"},
        _run("RUNNING", *look, _task("train", "PENDING", "02", None)),
        _run("SUCCEEDED", *look, *train, _task("evaluate", "RUNNING", "04", None)),
        _run("SUCCEEDED", *look, *train, _task("evaluate", "SUCCEEDED", "04", "09")),
    ]
    code, said = _follow(api)
    assert code == 0
    assert "Look up: done in 120.0 s" in said
    assert "Train: cached in 60.0 s" in said
    assert "Evaluate: done in 300.0 s" in said


@pytest.mark.parametrize(("status", "code"), [(3, 3), (1, 1)])
def test_a_failed_step_is_quoted_and_a_refusal_has_its_own_exit_code(
    api: Api, status: int, code: int
) -> None:
    api.log = (
        'time="2026-11-21" level=info msg="capturing logs"\nI1121 15:38:07.2 16 launcher_v2.go:206] started\n'
        "Evaluator refused: accuracy is 0.8 and must be at least 0.9\n"
        f"F1121 15:38:07.247 16 main.go:59] failed to execute component: exit status {status}\n"
    )
    api.run_states = [
        _run(
            "FAILED",
            _task("evaluate", "FAILED", "00", "01"),
            _task("executor", "SUCCEEDED", "00", "01", "pod-1"),
            _task("executor", "FAILED", "00", "01", "pod-2"),
        )
    ]
    ended, said = _follow(api)
    assert ended == code
    assert "Evaluator refused: accuracy is 0.8" in said
    assert "launcher_v2" not in said
    (asked,) = api.sent("GET", "/log")
    assert asked.path == "/apis/v1alpha1/runs/run-1/nodes/pod-2/log"


def test_a_schedule_has_six_fields_and_takes_the_place_of_the_earlier_one(api: Api, config: Config) -> None:
    client = connect()
    uploaded = runs.Uploaded("pipeline-1", "version-7", "digits-abc", True, {})
    recurring.schedule(client, config, uploaded, "mine", "0 3 * * 1-5", 1, True)
    recurring.schedule(client, config, uploaded, "mine", "0 4 * * *", 2, False)
    first, second = api.sent("POST", "/recurringruns")
    assert first.body["trigger"]["cron_schedule"]["cron"] == "0 0 3 * * mon,tue,wed,thu,fri"
    assert (first.body["max_concurrency"], first.body["no_catchup"]) == (1, True)
    assert (second.body["max_concurrency"], second.body["no_catchup"]) == (2, False)
    assert first.body["pipeline_version_reference"]["pipeline_version_id"] == "version-7"
    assert [run["recurring_run_id"] for run in api.recurring] == ["recurring-2"]
    with pytest.raises(CronError, match="five"):
        recurring.schedule(client, config, uploaded, "mine", "0 0 3 * * *", 1, True)


def test_schedules_are_listed_paused_resumed_and_deleted(api: Api, config: Config) -> None:
    client = connect()
    uploaded = runs.Uploaded("pipeline-1", "version-7", "digits-abc", True, {})
    recurring.schedule(client, config, uploaded, "mine", "0 3 * * *", 1, True)
    recurring.pause(client, "digits")
    said = io.StringIO()
    recurring.show(client, Console(file=said, width=140))
    assert "paused" in said.getvalue()
    assert "0 0 3 * * *" in said.getvalue()
    recurring.resume(client, "digits")
    assert api.recurring[0]["status"] == "ENABLED"
    with pytest.raises(KubeflowError, match=r"no schedule is named 'digit' \(there are: digits\)"):
        recurring.delete(client, "digit")
    recurring.delete(client, "digits")
    assert api.recurring == []
