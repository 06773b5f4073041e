"""The same run with its data and its bucket on S3, as moto serves it: nothing of it is local but the work."""

from collections.abc import Callable
from pathlib import Path

import fsspec
import pytest

from serving.release.record import latest_release, list_versions
from tests.conftest import Workspace
from tests.integration.tabular import data

pytestmark = pytest.mark.run


def test_from_an_s3_table_to_a_release_on_s3_that_answers(
    new_workspace: Callable[[str], Workspace], s3_url: str
) -> None:
    workspace = new_workspace("s3")
    table = workspace.path / "table.csv"
    data.write(table, data.rows())
    fsspec.filesystem("s3", skip_instance_cache=True).put_file(str(table), f"{s3_url}/table.csv")
    table.unlink()
    (workspace.path / "model.py").write_text((Path(__file__).parent / "tabular" / "model.py").read_text())
    (workspace.path / "tabular.yaml").write_text(data.CONFIG.format(module="model.py"))
    on_s3 = (f"data.path={s3_url}/table.csv", f"push.bucket={s3_url}/models")
    first = workspace.run("tabular.yaml", *on_s3)
    assert first.code == 0, first.output
    assert list_versions(f"{s3_url}/models", "tabular") == [1]
    assert first.output.count("✓") >= 6, first.output
    again = workspace.run("tabular.yaml", *on_s3, "serve.examples=0")
    assert "Ingest: cached" in again.output
    assert "Trainer: cached" in again.output
    assert "already released as version 1" in again.output
    release = latest_release(f"{s3_url}/models", "tabular")
    assert release is not None
    assert release.verdicts[-1]["digest"] == release.digest
    assert not (workspace.path / "bucket").exists()
