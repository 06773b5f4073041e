"""The jars: fetched by Maven once, whole or not at all; what is missing is named."""

import shutil
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from pipeline.flink.class_path import POM, FlinkError, fetch, missing

MAVEN = """#!/bin/bash
for word in "$@"; do case $word in -DoutputDirectory=*) folder=${word#*=};; esac; done
mkdir -p "$folder" && touch "$folder/flink.jar" && echo called >> "$(dirname "$0")/calls"
"""


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH of its own, with a java, and an empty cache."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("bash", "mkdir", "touch", "dirname"):
        (folder / name).symlink_to(str(shutil.which(name)))
    _script(folder / "java", "#!/bin/bash\n")
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return folder


def _script(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


def test_maven_is_asked_once(tools: Path) -> None:
    _script(tools / "mvn", MAVEN)
    jars = fetch()
    assert [path.name for path in jars.iterdir()] == ["flink.jar"]
    assert fetch() == jars
    assert (tools / "calls").read_text() == "called\n"
    (tools / "mvn").unlink()
    assert missing() is None
    assert fetch() == jars


def test_without_java_or_maven_it_says_what_to_install(tools: Path) -> None:
    with pytest.raises(FlinkError, match=r"mvn was not found.*apt install maven"):
        fetch()
    (tools / "java").unlink()
    with pytest.raises(FlinkError, match=r"java was not found.*openjdk-17-jre-headless"):
        fetch()


def test_half_of_the_jars_are_never_taken_for_all(tools: Path, tmp_path: Path) -> None:
    _script(tools / "mvn", MAVEN + "echo 'no route to host'; exit 1\n")
    with pytest.raises(FlinkError, match="no route to host"):
        fetch()
    _script(tools / "mvn", MAVEN)
    assert [path.name for path in fetch().iterdir()] == ["flink.jar"]


def test_versions_are_pinned_and_no_registry_is_named() -> None:
    tree = ElementTree.parse(POM)
    assert "://" not in POM.read_text()
    pinned = {
        str(one.findtext("artifactId")): str(one.findtext("version")) for one in tree.iter("dependency")
    }
    assert pinned["beam-runners-flink-1.19"] == "2.62.0"
    assert all(version[0].isdigit() for version in pinned.values())
