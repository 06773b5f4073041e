"""`preprocessing.json`: what is to be done before `model.tflite`, in data instead of a graph."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from serving.errors import Code, ServingError

SPEC_FILE = "preprocessing.json"


class ImageSpec(BaseModel):
    """Encoded images to float32 [batch, height, width, channels] in 0..1."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["image"] = "image"
    feature: str
    shape: tuple[int, int, int]


class TextSpec(BaseModel):
    """Text to int64 [batch, words]: ids of its words, 1 for an unknown one, 0 after the end."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["text"] = "text"
    feature: str
    vocabulary: str = Field(
        description="file beside this one: a word a line; the first has the id `first_id`"
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
    """Read it back.

    Raises:
        ServingError: it is damaged, or of a kind that this program does not know.
    """
    path = folder / SPEC_FILE
    try:
        return _File.model_validate_json(path.read_text()).preprocessing
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ServingError(Code.FAILED_PRECONDITION, f"{path} is damaged: {where}: {first['msg']}") from error
