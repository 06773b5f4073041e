"""`preprocessing.json`: the preprocessing of `model.tflite`'s inputs, as data instead of a graph."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from serving.errors import Code, ServingError

SPEC_FILE = "preprocessing.json"


class ImageSpec(BaseModel):
    """From encoded images to float32 [batch, height, width, channels] in 0..1."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["image"] = "image"
    feature: str
    shape: tuple[int, int, int]


class TextSpec(BaseModel):
    """From text to int64 [batch, words]: the ids of its words, 1 for unknown words, 0 after the end."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["text"] = "text"
    feature: str
    vocabulary: str = Field(
        description="file next to this one with one word per line; the first word has the id `first_id`"
    )
    first_id: int
    max_length: int


Spec = ImageSpec | TextSpec


class _File(BaseModel):
    preprocessing: Annotated[Spec, Field(discriminator="kind")]


def write_spec(spec: Spec, folder: Path) -> None:
    """Write `preprocessing.json` into a model's folder."""
    (folder / SPEC_FILE).write_text(_File(preprocessing=spec).model_dump_json(indent=1))


def read_spec(folder: Path) -> Spec:
    """Read `preprocessing.json` from a model's folder.

    Raises:
        ServingError: the file is damaged, or of an unknown kind.
    """
    path = folder / SPEC_FILE
    try:
        return _File.model_validate_json(path.read_text()).preprocessing
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ServingError(Code.FAILED_PRECONDITION, f"{path} is damaged: {where}: {first['msg']}") from error
