"""The tables that people have, through the whole pipeline: what is served answers as the model itself does."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from serving.client.local import own_server, serve, wait_until_ready
from tests.conftest import Workspace
from tests.integration.tables import data
from tests.integration.tables.asked import Row, same

pytestmark = [pytest.mark.tables, pytest.mark.filterwarnings("ignore")]
HERE = Path(__file__).parent / "tables"

#: By model name: the `data:` and `preprocess:` sections, and what else is configured.
TABLES: dict[str, dict[str, Any]] = {
    # As it comes from scikit-learn, with every stage.
    "iris": {
        "data": {"path": "iris.csv", "label": "class"},
        "preprocess": {"inputs": list(data.iris().columns[:4])},
        "optimize": {"techniques": ["litert"]},
        "canary": {"enabled": True},
    },
    "titanic": {
        "data": {"path": "titanic.csv", "label": "Survived"},
        "preprocess": {
            "inputs": ["Pclass", "Sex", "Age", "Fare", "Embarked"],
            "missing": {"Age": "median", "Embarked": "most_frequent"},
        },
    },
    "wine": {
        "data": {"path": "wine.csv", "label": "class"},
        "preprocess": {
            "inputs": list(data.wine().columns.drop("class")),
            "missing": dict.fromkeys(data.wine().columns.drop("class"), "mean"),
        },
    },
    "pictures": {
        "data": {"format": "images", "path": "pictures"},
        "preprocess": {"module": "image", "inputs": ["image"], "image_shape": [8, 8, 1]},
        "model": {"module": "cnn"},
        "train": {"epochs": 12},
    },
    "baskets": {
        "data": {"format": "tfrecord", "path": "baskets.tfrecord"},
        "preprocess": {"module": "baskets.py", "inputs": ["items"]},
        "model": {"module": "baskets.py"},
        "train": {"epochs": 30, "learning_rate": 0.05},
    },
}


@pytest.fixture(scope="module")
def workspace(new_workspace: Callable[[str], Workspace]) -> Workspace:
    made = new_workspace("tables")
    for name in ("model.py", "baskets.py"):
        (made.path / name).write_text((HERE / name).read_text())
    data.iris().to_csv(made.path / "iris.csv", index=False)
    data.titanic().to_csv(made.path / "titanic.csv", index=False)
    data.wine().to_csv(made.path / "wine.csv", index=False, na_rep="NA")
    data.pictures(made.path / "pictures")
    data.write_baskets(made.path / "baskets.tfrecord", data.baskets())
    for name, own in TABLES.items():
        config = {
            "model_name": name,
            "data": {"format": "csv", **own["data"]},
            "preprocess": {"module": "model.py", **own["preprocess"]},
            "model": own.get("model", {"module": "model.py"}),
            "train": own.get("train", {"epochs": 30, "learning_rate": 0.02}),
            "evaluate": {"thresholds": [{"metric": "accuracy", "lower_bound": 0.6}]},
            "optimize": own.get("optimize", {"enabled": False}),
            "canary": own.get("canary", {"enabled": False}),
            "push": {"bucket": "bucket"},
            "serve": {"examples": 4},
        }
        # JSON is YAML.
        (made.path / f"{name}.yaml").write_text(json.dumps(config))
    return made


def rows(name: str, path: Path) -> list[Row]:
    """Return raw rows of a table, as its owner would send them."""
    if name == "pictures":
        return [{"image": file.read_bytes()} for file in sorted(path.rglob("*.png"))[::20]]
    if name == "baskets":
        return [{"items": basket or None} for basket, _ in data.baskets()[:30]]
    frame = pd.read_csv(path)[TABLES[name]["preprocess"]["inputs"]].iloc[::7]
    return [
        {column: None if pd.isna(value) else value for column, value in row.items()}
        for row in frame.to_dict("records")
    ]


@pytest.mark.parametrize("name", TABLES)
def test_it_is_released(workspace: Workspace, name: str) -> None:
    done = workspace.run(f"{name}.yaml")
    assert done.code == 0, done.output
    assert f"released as version 1 of {name}" in done.output
    # The demonstration asks by the names of the columns.
    assert done.output.count("✓") + done.output.count("✗") >= 4


@pytest.fixture(scope="module")
def url(workspace: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("served")
    entries = [
        f'config {{ name: "{name}" base_path: "{workspace.bucket / name}" model_platform: "tensorflow" }}'
        for name in TABLES
    ]
    config = folder / "models.config"
    config.write_text("model_config_list {" + " ".join(entries) + "}")
    with serve(own_server(f"--model_config_file={config}"), folder / "log.txt") as server:
        for name in TABLES:
            wait_until_ready(server, name, 120)
        yield server.rest


@pytest.mark.parametrize("name", TABLES)
def test_the_served_answer_is_the_models_own(workspace: Workspace, url: str, name: str) -> None:
    path = workspace.path / TABLES[name]["data"]["path"]
    asked = rows(name, path)
    assert len(asked) >= 20
    if name in ("titanic", "wine", "baskets"):
        assert any(None in row.values() for row in asked)
    same(workspace, url, name, asked)


def test_shares_are_right(workspace: Workspace, url: str) -> None:
    """A model that is served right is as good as its gate says."""
    from tests.integration.tables.asked import served

    frame = data.wine()
    _, labels = served(url, "wine", rows("wine", workspace.path / "wine.csv"))
    assert np.mean(np.array(labels) == frame["class"].iloc[::7].to_numpy()) > 0.8
