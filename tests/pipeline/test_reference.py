from pipeline.reference import reference
from tests.conftest import REPOSITORY


def test_the_reference_in_the_docs_is_that_of_the_code() -> None:
    written = (REPOSITORY / "docs" / "configuration.md").read_text()
    assert written == reference(), "run: python -m pipeline.reference > docs/configuration.md"


def test_every_key_has_its_place() -> None:
    page = reference()
    for heading in ("## `data.csv`", "## `evaluate.thresholds`", "## `push`"):
        assert heading in page
    assert "| `epochs` | integer | `20` | the most epochs |" in page
