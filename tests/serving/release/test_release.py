"""The release contract: versions, digests, labels, retention, rollback, fetch."""

import json
from pathlib import Path

import pytest

from serving.release.bucket import BucketError
from serving.release.digest import file_digests, model_digest
from serving.release.fetch import fetch
from serving.release.open import open_bucket
from serving.release.push import NotApprovedError, NothingToPushError, Outcome, WithdrawnError, push
from serving.release.record import (
    RELEASE_FILE,
    Release,
    ReleaseError,
    find_release,
    latest_release,
    list_versions,
    parse_version,
    read_release,
)
from serving.release.retention import expendable, labels, set_label
from serving.release.rollback import rollback
from tests.serving.models import digest_of, fake_model


def release(bucket_url: str, tmp_path: Path, content: str, *, keep: int = 5, force: bool = False) -> Outcome:
    model = fake_model(tmp_path / f"model-{content}", content)
    return push(bucket_url, "m", model, approved=[digest_of(model)], keep=keep, force=force)


def test_digest_depends_on_paths_and_contents_only(tmp_path: Path) -> None:
    one = fake_model(tmp_path / "one", "a")
    two = fake_model(tmp_path / "two", "a")
    (two / "assets.extra").mkdir()
    (two / "assets.extra" / "anything").write_text("beside the model")
    assert file_digests(one) == file_digests(two)
    (two / "saved_model.pb").rename(two / "renamed.pb")
    assert model_digest(file_digests(one)) != model_digest(file_digests(two))
    with pytest.raises(NotADirectoryError, match="is not a directory"):
        file_digests(tmp_path / "none")


@pytest.mark.parametrize(
    ("name", "version"),
    [("1", 1), ("00000123", 123), ("+7", 7), (" 5 ", 5), ("0", 0), ("9223372036854775807", 2**63 - 1)],
)
def test_version_names_that_tf_serving_takes(name: str, version: int) -> None:
    assert parse_version(name) == version


@pytest.mark.parametrize("name", ["-1", "1.0", "", "v1", "1_0", "9223372036854775808", ".slipway", "１"])
def test_version_names_that_tf_serving_ignores(name: str) -> None:
    assert parse_version(name) is None


def test_push_records_everything(bucket_url: str, tmp_path: Path) -> None:
    model = fake_model(tmp_path / "model", "a")
    warmup = tmp_path / "requests"
    warmup.write_bytes(b"warm")
    done = push(
        bucket_url,
        "m",
        model,
        approved=[digest_of(model)],
        verdicts=[{"gate": "evaluate", "passed": True}],
        lineage={"run": "r1"},
        variant="int8",
        signatures=["serving_default"],
        warmup=warmup,
    )
    assert done.written
    assert done.message == f"released as version 1 of m in {open_bucket(bucket_url).url}"
    read = read_release(bucket_url, "m", 1)
    assert read == done.release
    assert read.digest == digest_of(model)
    assert (read.variant, read.signatures, read.lineage) == ("int8", ["serving_default"], {"run": "r1"})
    assert read.verdicts == [{"gate": "evaluate", "passed": True}]
    assert read.size_bytes == sum(path.stat().st_size for path in model.rglob("*") if path.is_file())
    assert set(read.files) == {*file_digests(model), "assets.extra/tf_serving_warmup_requests"}
    copy = fetch(bucket_url, "m", 1, tmp_path / "copy" / "1")
    assert file_digests(copy) == file_digests(model)
    assert (copy / "assets.extra" / "tf_serving_warmup_requests").read_bytes() == b"warm"


def test_versions_grow_and_the_same_model_is_not_pushed_twice(bucket_url: str, tmp_path: Path) -> None:
    assert list_versions(bucket_url, "m") == []
    assert latest_release(bucket_url, "m") is None
    release(bucket_url, tmp_path, "a")
    again = release(bucket_url, tmp_path, "a")
    assert not again.written
    assert again.message == "already released as version 1 of m; nothing pushed"
    second = release(bucket_url, tmp_path, "b")
    assert list_versions(bucket_url, "m") == [1, 2]
    assert latest_release(bucket_url, "m") == second.release
    assert find_release(bucket_url, "m", again.release.digest) == again.release
    assert find_release(bucket_url, "m", "0" * 64) is None


def test_an_old_model_may_come_back_if_it_was_not_withdrawn(tmp_path: Path) -> None:
    url = str(tmp_path / "bucket")
    for content in "aba":
        release(url, tmp_path, content)
    assert list_versions(url, "m") == [1, 2, 3]


def test_unapproved_models_are_refused(bucket_url: str, tmp_path: Path) -> None:
    model = fake_model(tmp_path / "model", "a")
    approved = [digest_of(model)]
    (model / "saved_model.pb").write_text("swapped after the gates")
    with pytest.raises(NotApprovedError, match="no passing verdict"):
        push(bucket_url, "m", model, approved=approved)
    assert list_versions(bucket_url, "m") == []


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(NothingToPushError, match="holds no model"):
        push(str(tmp_path / "bucket"), "m", tmp_path / "empty", approved=[])


@pytest.mark.parametrize("name", ["", "../up", "a/b", ".hidden", "a:b"])
def test_model_names_are_folder_names(name: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="plain folder name"):
        push(str(tmp_path / "bucket"), name, tmp_path, approved=[])


@pytest.mark.parametrize("url", ["", "ftp://host/x", "s3://", "s3:///folder"])
def test_bucket_urls_that_cannot_be(url: str) -> None:
    with pytest.raises(BucketError, match="bucket"):
        open_bucket(url)


def test_numbers_are_never_used_again(bucket_url: str, tmp_path: Path) -> None:
    release(bucket_url, tmp_path, "a")
    release(bucket_url, tmp_path, "b")
    bucket = open_bucket(bucket_url)
    bucket.remove([f"m/2/{name}" for name in bucket.listing("m/2")])  # someone deletes the newest by hand
    if (folder := Path(bucket_url) / "m" / "2").is_dir():
        for path in sorted(folder.rglob("*"), reverse=True):
            path.rmdir()
        folder.rmdir()
    assert release(bucket_url, tmp_path, "c").release.version == 3


def test_numbers_put_there_by_hand_count(tmp_path: Path) -> None:
    fake_model(tmp_path / "bucket" / "m" / "0041", "by hand")
    assert list_versions(tmp_path / "bucket", "m") == [41]
    assert release(str(tmp_path / "bucket"), tmp_path, "a").release.version == 42


def test_retention_keeps_the_newest_and_what_a_label_names(bucket_url: str, tmp_path: Path) -> None:
    release(bucket_url, tmp_path, "a")
    set_label(bucket_url, "m", "stable", 1)
    for content in "bcde":
        release(bucket_url, tmp_path, content, keep=2)
    assert list_versions(bucket_url, "m") == [1, 4, 5]
    assert labels(bucket_url, "m") == {"stable": 1}
    set_label(bucket_url, "m", "stable", None)
    release(bucket_url, tmp_path, "f", keep=2)
    assert list_versions(bucket_url, "m") == [5, 6]
    with pytest.raises(ReleaseError, match=r"cannot label version 1 .*existing versions: \[5, 6\]"):
        set_label(bucket_url, "m", "stable", 1)


def test_retention_never_deletes_the_only_good_one() -> None:
    have = [
        Release(model_name="m", version=n, digest=digest, files={}, size_bytes=0, created="")
        for n, digest in enumerate(["good", "bad", "worse"], start=1)
    ]
    assert expendable(have, 1, [], []) == [1, 2]
    assert expendable(have, 1, [], ["bad", "worse"]) == [2]
    assert expendable(have, 1, [2], []) == [1]
    assert expendable(have, 0, [], []) == [1, 2]


def test_rollback_serves_the_old_model_as_the_newest(bucket_url: str, tmp_path: Path) -> None:
    first = release(bucket_url, tmp_path, "a").release
    second = release(bucket_url, tmp_path, "b").release
    done = rollback(bucket_url, "m", 1, "b is slow")
    latest = latest_release(bucket_url, "m")
    assert latest == done.release
    assert latest is not None
    assert (latest.version, latest.digest) == (3, first.digest)
    assert latest.rollback is not None
    assert (latest.rollback.from_version, latest.rollback.to_version) == (2, 1)
    assert latest.rollback.reason == "b is slow"
    assert latest.rollback.by
    assert file_digests(fetch(bucket_url, "m", 3, tmp_path / "copy" / "3")) == file_digests(
        tmp_path / "model-a"
    )
    with pytest.raises(WithdrawnError, match="rolled back from"):
        release(bucket_url, tmp_path, "b")
    again = rollback(bucket_url, "m", 1, "twice")
    assert not again.written
    forced = release(bucket_url, tmp_path, "b", force=True).release
    assert (forced.version, forced.digest) == (4, second.digest)
    release(bucket_url, tmp_path, "c")
    assert release(bucket_url, tmp_path, "b").written, "forced once, it is no longer withdrawn"


def test_rollback_to_nothing(bucket_url: str, tmp_path: Path) -> None:
    release(bucket_url, tmp_path, "a")
    with pytest.raises(ReleaseError, match=r"existing versions of m: \[1\]"):
        rollback(bucket_url, "m", 7, "why not")


def test_fetch_refuses_what_is_torn(bucket_url: str, tmp_path: Path) -> None:
    release(bucket_url, tmp_path, "a")
    bucket = open_bucket(bucket_url)
    good = bucket.read("m/1/variables/variables.index")
    bucket.write("m/1/variables/variables.index", b"flipped")
    with pytest.raises(ReleaseError, match=r"variables.index has SHA-256 .* damaged or altered"):
        fetch(bucket_url, "m", 1, tmp_path / "cache" / "1")
    bucket.write("m/1/variables/variables.index", good)
    bucket.write("m/1/extra.txt", b"?")
    with pytest.raises(ReleaseError, match=r"extra.txt is not in its release.json"):
        fetch(bucket_url, "m", 1, tmp_path / "cache" / "1")
    bucket.remove(["m/1/extra.txt", "m/1/variables/variables.index"])
    with pytest.raises(ReleaseError, match=r"variables.index is missing"):
        fetch(bucket_url, "m", 1, tmp_path / "cache" / "1")
    bucket.remove(["m/1/saved_model.pb"])
    with pytest.raises(ReleaseError, match=r"is not a complete version; existing versions: none"):
        fetch(bucket_url, "m", 1, tmp_path / "cache" / "1")
    assert not list((tmp_path / "cache").iterdir()), "nothing half-made is left"


def test_a_record_that_lies_is_refused(tmp_path: Path) -> None:
    url = str(tmp_path / "bucket")
    release(url, tmp_path, "a")
    record = tmp_path / "bucket" / "m" / "1" / RELEASE_FILE
    fields = json.loads(record.read_text())
    record.write_text(json.dumps({**fields, "digest": "0" * 64}))
    with pytest.raises(ReleaseError, match="does not match the files"):
        fetch(url, "m", 1, tmp_path / "copy")
    record.write_text(json.dumps({**fields, "version": "one"}))
    with pytest.raises(ReleaseError, match=r"release.json is damaged: version: "):
        read_release(url, "m", 1)
    record.write_text(json.dumps({**fields, "format_version": 99}))
    with pytest.raises(ReleaseError, match="format_version 99"):
        read_release(url, "m", 1)


def test_plain_models_without_a_record_are_fetched(bucket_url: str, tmp_path: Path) -> None:
    bucket = open_bucket(bucket_url)
    model = fake_model(tmp_path / "plain", "x")
    for name in file_digests(model):
        bucket.upload(model / name, f"m/3/{name}")
    copy = fetch(bucket_url, "m", 3, tmp_path / "cache" / "3")
    assert file_digests(copy) == file_digests(model)
    assert latest_release(bucket_url, "m") is None
