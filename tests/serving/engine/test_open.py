"""Preprocessing that several models share is loaded once."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from serving.engine import litert, open, rows
from serving.engine.base import Engine
from serving.engine.open import LITERT_FILE, PREPROCESSING, EngineOptions, open_engine
from serving.engine.signature import DEFAULT_SIGNATURE, Signature


def test_equal_preprocessing_is_loaded_once_where_it_is_shared(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folders = []
    for name, graph in {"float16": "scale", "int8": "scale", "other": "another"}.items():
        folder = tmp_path / name
        (folder / PREPROCESSING).mkdir(parents=True)
        (folder / PREPROCESSING / "saved_model.pb").write_text(graph)
        (folder / LITERT_FILE).touch()
        folders.append(folder)
    loads: list[str] = []

    def fake(folder: Path, *_: object, **__: object) -> SimpleNamespace:
        if folder.name == PREPROCESSING:
            loads.append(folder.parent.name)
        signature = Signature({}, {}, "")
        definition = SimpleNamespace(signature_def=None)
        return SimpleNamespace(
            steady=frozenset(),
            pure=frozenset(),
            signatures={DEFAULT_SIGNATURE: signature},
            signature_defs={DEFAULT_SIGNATURE: definition},
        )

    monkeypatch.setattr(open, "_open_saved_model", fake)
    monkeypatch.setattr(litert, "load", fake)
    monkeypatch.setattr(rows, "takes_single_rows", lambda _: False)
    monkeypatch.setattr("serving.engine.preprocessed._join", lambda before, after: after)

    shared: dict[str, Engine] = {}
    for folder in folders:
        open_engine(folder, EngineOptions(), shared)
    assert loads == ["float16", "other"]
    open_engine(folders[1], EngineOptions())
    assert loads[2:] == ["int8"]
