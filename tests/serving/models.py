"""Stand-ins for models where only the files matter."""

from pathlib import Path

from serving.release.digest import file_digests, model_digest


def fake_model(folder: Path, content: str) -> Path:
    """A folder that looks like a SavedModel, with a file in each of its places."""
    for name in ("saved_model.pb", "variables/variables.index", "variables/variables.data-00000-of-00001"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{name}: {content}")
    return folder


def digest_of(folder: Path) -> str:
    return model_digest(file_digests(folder))
