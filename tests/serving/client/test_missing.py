"""None in what the client sends, and gaps in the files that `slipway predict` reads."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from serving.client import Client
from serving.client.base import Fields, Target
from serving.client.rest import RestTransport
from serving.client.rows import RowError, read_rows
from serving.client.rpc import GrpcTransport
from serving.messages import tensors
from serving.messages.dtypes import Array
from serving.messages.protos import get_model_metadata_pb2, meta_graph_pb2
from serving.predict import main
from serving.rest import metadata

LOWEST = -(2**63)
INPUTS = {"age": "DT_FLOAT", "count": "DT_INT64", "items": "DT_STRING", "size": "DT_FLOAT"}
DEFAULTS: dict[str, Array] = {
    "age": np.array([np.nan], np.float32),
    "count": np.array([LOWEST]),
    "items": np.array([[b""]], object),
}


class _Recorded:
    """A transport that keeps what it is to send."""

    def __init__(self) -> None:
        self.sent: Mapping[str, Array] = {}

    def describe(self, target: Target, timeout: float) -> Fields:
        return Fields(INPUTS, {"y": "DT_FLOAT"}, DEFAULTS)

    def predict(self, target: Target, inputs: Mapping[str, Array], fields: Fields, timeout: float) -> Any:
        self.sent = inputs
        return {"y": np.zeros(len(next(iter(inputs.values()))))}

    def close(self) -> None:
        pass


@pytest.fixture
def transport(monkeypatch: pytest.MonkeyPatch) -> _Recorded:
    made = _Recorded()
    monkeypatch.setattr("serving.client.client._transport", lambda *_: made)
    return made


def test_none_is_the_signatures_default(transport: _Recorded) -> None:
    client = Client("http://localhost:1", "m")
    client.predict({"age": [1.5, None], "count": None, "items": [["a", "b"], None], "size": [1, 2]})
    np.testing.assert_array_equal(transport.sent["age"], [1.5, np.nan])
    assert transport.sent["items"].tolist() == [[b"a", b"b"], [b"", b""]]
    assert "count" not in transport.sent
    client.predict({"count": np.array([None, 2**62], object), "size": np.ones(2)})
    assert transport.sent["count"].tolist() == [LOWEST, 2**62]


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ({"size": [1, None]}, "'size' of example 1 is None"),
        ({"size": None}, "'size' is None, and the model has no default for it"),
        ({"size": [[1.0], [None]]}, "'size' of example 1"),
    ],
)
def test_none_without_a_default_is_an_error(transport: _Recorded, inputs: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Client("http://localhost:1", "m").predict(inputs)


def test_lists_that_would_be_filled_up_without_bound_are_an_error_of_the_caller(transport: _Recorded) -> None:
    lists = [["a"] * 5000, *[[]] * 5000]
    with pytest.raises(
        ValueError, match="the input 'items': 5001 lists, of which the longest has 5000 values"
    ):
        Client("http://here", "m").predict({"size": [1.0] * 5001, "items": lists})


def test_both_transports_learn_the_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    definition = meta_graph_pb2.SignatureDef()
    for alias, value in DEFAULTS.items():
        definition.inputs[alias].dtype = 1
        definition.defaults[alias].CopyFrom(tensors.to_proto(value, packed=False))
    document = json.loads(metadata.metadata("m", 1, {"serving_default": definition}))
    packed = get_model_metadata_pb2.SignatureDefMap(signature_def={"serving_default": definition})
    response = get_model_metadata_pb2.GetModelMetadataResponse()
    response.metadata["signature_def"].Pack(packed)
    monkeypatch.setattr(RestTransport, "_call", lambda *_: document)
    monkeypatch.setattr(GrpcTransport, "_call", lambda *_: response)
    for fields in (
        RestTransport("http://localhost:1").describe(Target("m"), 1),
        GrpcTransport("localhost:1").describe(Target("m"), 1),
    ):
        assert fields.defaults.keys() == DEFAULTS.keys()
        for alias, value in DEFAULTS.items():
            np.testing.assert_array_equal(fields.defaults[alias], value)


def test_gaps_in_files_are_none_where_the_model_has_a_default(tmp_path: Path) -> None:
    table = tmp_path / "a.csv"
    table.write_text("age,size,items,more\n,1,x,\nNA,+2,,\n3.5,.5,n/a,\n")
    assert list(read_rows(table, INPUTS, DEFAULTS)) == [
        {"age": None, "count": None, "items": "x", "size": 1},
        {"age": None, "count": None, "items": None, "size": 2.0},
        {"age": 3.5, "count": None, "items": None, "size": 0.5},
    ]
    lines = tmp_path / "a.jsonl"
    lines.write_text('{"size": 1, "age": null}\n')
    assert list(read_rows(lines, INPUTS, DEFAULTS)) == [
        {"age": None, "count": None, "items": None, "size": 1}
    ]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.csv", "age\n1\n", r"no column \['size'\]"),
        ("a.csv", "size\n1\nNA\n", r"line 3: a value is missing \('NA'\)"),
        ("a.csv", "size\nbig\n", r"line 2: could not convert"),
        ("a.jsonl", '{"age": 1}\n', r"line 1 has \['age'\]"),
        ("a.jsonl", '{"size": 1, "weight": 2}\n', "line 1 has"),
    ],
)
def test_a_gap_without_a_default_is_named(tmp_path: Path, name: str, content: str, said: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(RowError, match=said):
        list(read_rows(tmp_path / name, INPUTS, DEFAULTS))


def test_the_command_sends_gaps(
    transport: _Recorded, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.csv").write_text("age,size,count\n,1,5\n2,3,\n")
    assert main([str(tmp_path / "a.csv"), "--format", "jsonl"]) == 0
    np.testing.assert_array_equal(transport.sent["age"], [np.nan, 2])
    assert transport.sent["count"].tolist() == [5, LOWEST]
    assert main(["--data", '{"size": null}']) == 1
    assert "'size' of example 0 is None" in capsys.readouterr().err
