"""Where snapshots lie is the user's to say: a place that cannot be used is told with what mends it."""

import pytest
import s3fs
from upath import UPath

from shards.errors import BadInput, SnapshotError, Unavailable
from shards.publishing import publish
from shards.snapshot import list_snapshots, open_snapshot, place
from tests.shards.conftest import sample


def test_a_kind_of_store_that_nobody_knows_is_refused():
    with pytest.raises(BadInput, match="'foo'") as refused:
        place("foo://bar")
    assert "s3://BUCKET/PREFIX" in refused.value.remedy and "CLAPBOARD_SNAPSHOTS" in refused.value.remedy


@pytest.mark.parametrize("link", ["s3://bucket/data", "gs://bucket/data"])
def test_a_store_whose_package_is_not_installed_names_it(monkeypatch, link):
    def is_dir(*_):
        raise ImportError("Please install somefs")

    monkeypatch.setattr(UPath, "is_dir", is_dir)
    monkeypatch.setattr(type(place(link)), "is_dir", is_dir)
    with pytest.raises(BadInput, match="needs a package: Please install somefs") as lack:
        list_snapshots(place(link))
    assert ("clapboard[s3]" in lack.value.remedy) == link.startswith("s3:")


@pytest.fixture
def nobody(monkeypatch, tmp_path):
    """A shell without credentials for any store."""
    for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN", "PROFILE", "ENDPOINT_URL"):
        monkeypatch.delenv(f"AWS_{name}", raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    s3fs.S3FileSystem.clear_instance_cache()
    yield
    s3fs.S3FileSystem.clear_instance_cache()


@pytest.mark.parametrize(
    "asks",
    [
        list_snapshots,
        lambda root: open_snapshot(root, "auto"),
        lambda root: open_snapshot(root, "auto/v1"),
        lambda root: publish(root, "auto", [sample(1)], recipe={}),
    ],
    ids=["list", "newest", "one", "publish"],
)
def test_a_store_without_credentials_says_which_variables_hold_them(nobody, asks):
    with pytest.raises(Unavailable, match=r"s3://bucket/data.*cannot be used.*credentials") as refused:
        asks(place("s3://bucket/data"))
    assert "AWS_ACCESS_KEY_ID" in refused.value.remedy


@pytest.mark.parametrize("call", ["put_file", "pipe_file"])
def test_a_store_that_may_be_read_and_not_written_says_so(bucket, monkeypatch, call):
    def refuse(*_, **__):
        raise PermissionError("Access Denied")

    root = place(bucket)
    monkeypatch.setattr(root.fs, call, refuse)
    with pytest.raises(Unavailable, match="Access Denied") as refused:
        publish(root, "auto", [sample(1)], recipe={})
    assert "may read and write" in refused.value.remedy
    assert list_snapshots(root) == []


def test_the_faults_of_a_folder_are_not_those_of_a_store(tmp_path, monkeypatch):
    def refuse(_):
        raise PermissionError(13, "Permission denied")

    (tmp_path / "auto").mkdir()
    monkeypatch.setattr(type(tmp_path), "iterdir", refuse)
    with pytest.raises(PermissionError):
        list_snapshots(tmp_path)


@pytest.mark.parametrize(
    ("ref", "commands"),
    [
        ("auto", ["clapboard curate"]),
        ("curated", ["clapboard review serve", "clapboard publish"]),
        ("curated/v2", ["clapboard review serve", "clapboard publish"]),
        ("mine", ["clapboard curate", "clapboard publish"]),
    ],
)
def test_a_snapshot_that_is_not_there_is_told_with_the_commands_that_make_it(tmp_path, ref, commands):
    with pytest.raises(SnapshotError, match=f"no snapshot '{ref}'") as lack:
        open_snapshot(tmp_path, ref)
    assert [one for one in ("curate", "review serve", "publish") if f"`clapboard {one}`" in lack.value.remedy] == [
        one.removeprefix("clapboard ") for one in commands
    ]
