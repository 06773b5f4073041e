from pathlib import Path
from typing import Any

import pytest
import yaml

from components.ingest import csv_rows, files, tasks
from components.ingest.config import DataConfig
from components.ingest.rows import Row

ROOT = Path(__file__).parents[2]
SHIPPED = sorted((ROOT / "configs").glob("*.yaml"))


@pytest.mark.parametrize("path", SHIPPED, ids=[path.stem for path in SHIPPED])
def test_the_data_of_shipped_configurations(
    path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fields: dict[str, Any] = yaml.safe_load(path.read_text())["data"]
    if fields.get("make"):
        fields["path"] = str(tmp_path / "sample")
    config = DataConfig.model_validate(fields)
    monkeypatch.chdir(ROOT)
    folder = config.sources()[0][1]
    if not config.make and not Path(folder).exists():
        pytest.skip(f"{folder} is not on this machine")
    files.ensure(config)
    monkeypatch.setattr(csv_rows, "INFER_ROWS", 50)
    items = [item for task in tasks.plan(config, ()).tasks for item in tasks.read(task, config)]
    assert all(isinstance(item, Row) for item in items)
    assert {item.label for item in items if isinstance(item, Row)} == set(config.classes or ())
