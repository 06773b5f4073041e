"""A folder of images, `class/name.png|jpg|…`: the folder's name is the class."""

from collections.abc import Iterator

from components.ingest.config import DataConfig
from components.ingest.examples import row as make_row
from components.ingest.files import opened
from components.ingest.picture import PictureError, is_picture, read_picture
from components.ingest.rows import BadRow, Row, Skipped, label_fault


def read(source: str, config: DataConfig, root: str) -> Iterator[Row | BadRow | Skipped]:
    """Yield the one example of an image file: its bytes unchanged, or converted without loss to PNG.

    Args:
        source: URL of the file; what is no picture, neither by its content nor by its name, is skipped.
        config: the data's configuration.
        root: URL of the folder that holds the folders of the classes.
    """
    with opened(source) as file:
        content = file.read()
    if not is_picture(source, content):
        yield Skipped(source)
        return
    inside = source[len(root) :].strip("/").split("/") if source.startswith(root) else source.split("/")[-2:]
    if len(inside) != 2:
        yield BadRow(source, 1, "not in a folder of its class; the layout is class/name.png")
        return
    label = inside[0]
    if fault := label_fault(label, config.classes):
        yield BadRow(source, 1, fault)
        return
    try:
        picture = read_picture(content)
    except PictureError as error:
        yield BadRow(source, 1, str(error))
        return
    features = {"image": picture.content, config.label: label.encode()}
    yield make_row(source, 1, label, features, picture.converted)
