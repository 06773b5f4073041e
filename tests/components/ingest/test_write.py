import json
from pathlib import Path
from typing import Any

import apache_beam as beam
import pytest
import tensorflow as tf

from components.ingest import report, write
from components.ingest.config import DataConfig
from components.ingest.examples import values
from components.ingest.rows import DataError
from tests.components.ingest.conftest import csv_file


def run(config: DataConfig, out: Path, inputs: str = "x") -> dict[str, Any]:
    return write.write(config, [inputs], str(out), beam.Pipeline(argv=["--runner=FnApiRunner"]))


def records(out: Path, split: str) -> set[bytes]:
    names = [str(path) for path in (out / f"Split-{split}").iterdir()]
    return set(tf.data.TFRecordDataset(names, compression_type="GZIP").as_numpy_iterator())


def decoded(record: bytes) -> dict[str, Any]:
    return {name: list(found) for name, found in values(tf.train.Example.FromString(record)).items()}


def test_splits_do_not_depend_on_order_or_files(tmp_path: Path) -> None:
    rows = [(f"text {i}", "ab"[i % 2]) for i in range(300)]
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    csv_file(tmp_path / "one" / "a.csv", ("text", "label"), *rows, *rows[:50])
    csv_file(tmp_path / "two" / "a.csv", ("text", "label"), *rows[200:][::-1])
    csv_file(tmp_path / "two" / "b.csv", ("label", "text"), *[(label, text) for text, label in rows[:200]])
    one, two = tmp_path / "out1", tmp_path / "out2"
    summary = run(DataConfig(format="csv", path=str(tmp_path / "one")), one, "text")
    run(DataConfig(format="csv", path=str(tmp_path / "two")), two, "text")
    for split in ("train", "eval", "test"):
        assert records(one, split) == records(two, split)
    assert not records(one, "train") & records(one, "eval"), "equal rows land together"
    assert summary == json.loads((one / "ingest.json").read_text())
    assert sum(summary["rows"].values()) == 350
    assert summary["rows"]["train"] == sum(summary["labels"]["train"].values())
    assert 0.7 < summary["rows"]["train"] / 350 < 0.9


def test_a_column_that_nobody_reads_moves_no_row(tmp_path: Path) -> None:
    header, rows = ("text", "label"), [(f"text {i}", "ab"[i % 2]) for i in range(300)]
    more = [(label, i, i % 7, text) for i, (text, label) in enumerate(rows)]
    config = DataConfig(format="csv", path=str(csv_file(tmp_path / "a.csv", header, *rows)))
    assert run(config, tmp_path / "out1", "text")["split"] == {
        "by": "hash",
        "columns": ["label", "text"],
        "ratios": {"train": 8, "eval": 1, "test": 1},
    }
    csv_file(tmp_path / "a.csv", ("label", "counter", "new", "text"), *more)
    run(config, tmp_path / "out2", "text")
    for split in ("train", "eval", "test"):
        texts = [
            {decoded(record)["text"][0] for record in records(tmp_path / out, split)}
            for out in ("out1", "out2")
        ]
        assert texts[0] == texts[1]
        assert texts[0]


def test_a_group_is_in_one_split_and_a_row_without_one_is_bad(tmp_path: Path) -> None:
    rows = [(f"text {i}", i % 40, "ab"[i % 2]) for i in range(400)]
    path = csv_file(tmp_path / "a.csv", ("text", "customer", "label"), *rows, ("lost", "", "a"))
    config = DataConfig(format="csv", path=str(path), split_by=["customer"], max_bad_share=0.01)
    summary = run(config, tmp_path / "out", "text")
    seen = [
        {decoded(record)["customer"][0] for record in records(tmp_path / "out", split)}
        for split in ("train", "eval", "test")
    ]
    assert sum(map(len, seen)) == len(set.union(*seen)) == 40
    (bad,) = summary["first_bad_rows"]
    assert (bad["row"], bad["reason"]) == (
        402,
        "no value of customer (data.split_by), so it is in no group; it has label, text",
    )


def test_named_splits_and_bad_rows(tmp_path: Path) -> None:
    train = csv_file(tmp_path / "train.csv", ("x", "label"), *[(i, "ab"[i % 2]) for i in range(40)], (1, ""))
    other = csv_file(tmp_path / "eval.csv", ("x", "label"), (1, "a"), (2,))
    config = DataConfig.model_validate(
        {"format": "csv", "splits": {"train": str(train), "eval": str(other)}, "max_bad_share": 0.1}
    )
    summary = run(config, tmp_path / "out")
    report.judge(summary, config)
    assert summary["rows"] == {"train": 40, "eval": 1}
    assert summary["bad_rows"] == 2
    with pytest.raises(DataError, match="2 of 43 rows are bad") as caught:
        report.judge(summary, config.model_copy(update={"max_bad_share": 0.0}))
    assert f"{other}, row 3: 1 cells, but there are 2 columns" in str(caught.value)
    assert f"{train}, row 42: the label is missing" in str(caught.value)


def test_a_broken_file_stops_it_by_name(tmp_path: Path) -> None:
    csv_file(tmp_path / "a.csv", ("x", "label"), *[(i, "ab"[i % 2]) for i in range(40)])
    (tmp_path / "b.csv").write_text('x,label\n"1,a\n')
    config = DataConfig(format="csv", path=str(tmp_path))
    with pytest.raises(DataError, match=r"b\.csv: line 2: a quote opened there is never closed"):
        report.judge(run(config, tmp_path / "out"), config)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ({"train": {"a": 3, "b": 4}, "eval": {}, "test": {"a": 1}}, "split eval has no rows .of 8"),
        ({"train": {"a": 3}, "eval": {"a": 1}, "test": {"b": 1}}, "one label only: .'a'."),
    ],
)
def test_splits_that_cannot_be_trained_on(labels: dict[str, dict[str, int]], message: str) -> None:
    rows = {split: sum(found.values()) for split, found in labels.items()}
    summary = {"rows": rows, "labels": labels, "bad_rows": 0, "first_bad_rows": [], "broken": [], "notes": []}
    with pytest.raises(DataError, match=message):
        report.judge(summary, DataConfig(format="csv", path="a"))


def test_only_the_first_bad_rows_are_kept(tmp_path: Path) -> None:
    csv_file(tmp_path / "a.csv", ("x", "label"), (1, "a"), *[(1,)] * 50)
    config = DataConfig(format="csv", path=str(tmp_path))
    summary = run(config, tmp_path / "out")
    assert [row["row"] for row in summary["first_bad_rows"]] == list(range(3, 23))
    with pytest.raises(DataError, match="and 30 more"):
        report.judge(summary, config)


def test_a_label_that_is_no_class(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "MAX_LABELS", 10)
    csv_file(tmp_path / "a.csv", ("x", "label"), *[(i, f"id{i}") for i in range(50)])
    config = DataConfig(format="csv", path=str(tmp_path))
    with pytest.raises(DataError, match=r"more than 10 different labels.*is data\.label the right one"):
        report.judge(run(config, tmp_path / "out"), config)
