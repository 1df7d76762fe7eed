"""The card of a snapshot: what it counts, that it tells nothing it must not, and that its own words run."""

import importlib.util
import json
import re
import shutil
import subprocess
import sys
from datetime import UTC, datetime

import pytest
import yaml

from shards.card import CARD, CardNotes, ColumnNote
from shards.card_head import size_category
from shards.hosts import LOCAL, PRIVATE, STORE, UNREADABLE, public_host
from shards.licences import hub_licence
from shards.publishing import publish
from shards.snapshot import MANIFEST, SUMS, Snapshot, open_snapshot, place
from shards.takedown import take_down
from shards.verifying import verify
from tests.shards.conftest import sample

AT = datetime(2026, 11, 29, tzinfo=UTC)
NOTES = CardNotes("policy-digest", {"sync": ColumnNote("how well it fits", "little"), "other": ColumnNote("x", "y")})


@pytest.fixture
def published(tmp_path):
    clips = [
        sample(0, licence="CC BY 4.0"),
        sample(1, licence="CC BY 4.0", label="a | b <script>"),
        sample(2, licence="my own", link="https://ann:secret@video.example.org:8443/v?sig=hush#here"),
        sample(3, licence="", link="films/at home.mp4", verdict={"verdict": "accept", "reviewer": "ann", "reason": ""}),
    ]
    return publish(tmp_path, "auto", clips, recipe={"x": 1}, clips_per_shard=2, notes=NOTES).snapshot


def text_of(snapshot) -> str:
    return snapshot.file(CARD).read_text(encoding="utf-8")


def head_of(snapshot) -> dict:
    _, head, _ = re.split(r"^---$", text_of(snapshot), maxsplit=2, flags=re.MULTILINE)
    return yaml.safe_load(head)


def snippets(snapshot) -> dict[str, str]:
    found = re.findall(r"```python\n(.*?)```", text_of(snapshot), re.DOTALL)
    return {re.findall(r"^import (webdataset|pyarrow|datasets)", one, re.MULTILINE)[0]: one for one in found}


def run(snippet: str, snapshot, then: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", snippet + then], cwd=snapshot.path, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_it_counts_by_licence_class_and_host(published):
    text = text_of(published)
    assert "4 clips, 12.0 seconds" in text
    assert "| CC BY 4\\.0 | 2 | 6.0 |\n| my own | 1 | 3.0 |\n| not stated | 1 | 3.0 |" in text
    assert "| drum | 3 | 9.0 |\n| a \\| b \\<script\\> | 1 | 3.0 |" in text
    assert "| `example.org` | 2 | 6.0 |\n| `video.example.org` | 1 | 3.0 |\n| local files | 1 | 3.0 |" in text
    assert "Clips that carry a person's verdict: 1;" in text


def test_it_tells_no_user_no_key_of_a_link_and_no_name_of_a_file(published):
    assert not re.search("secret|hush|8443|at home|ann:", text_of(published))


def test_it_says_what_each_score_means_and_by_what_it_was_made(published):
    text = text_of(published)
    assert "| `score_sync` | how well it fits | little |" in text
    assert "score_other" not in text
    assert "| policy | `policy-digest`;" in text
    assert published.manifest["content"] in text


def test_a_score_without_words_says_so(tmp_path):
    text = text_of(publish(tmp_path, "auto", [sample(0)], recipe={}).snapshot)
    assert "| `score_sync` | no words are known here |" in text


def test_its_head_is_what_the_hub_reads(published):
    head = head_of(published)
    assert head["license"] == ["cc-by-4.0", "other", "unknown"]
    assert head["size_categories"] == ["n<1K"]
    assert head["configs"][0]["data_files"] == [{"split": "train", "path": "*.tar"}]
    fields = {one["name"]: one for one in head["dataset_info"]["features"]}
    assert (fields["mp4"]["dtype"], fields["flac"]["dtype"]) == ("binary", "binary")
    record = {one["name"]: one for one in fields["json"]["struct"]}
    assert record["scores"]["struct"] == [{"name": "sync", "dtype": "float64"}]


def test_the_hub_reads_its_head_without_a_complaint(published):
    from huggingface_hub import DatasetCard

    card = DatasetCard(text_of(published))
    assert card.data.pretty_name == "auto/v1"
    assert card.data.task_categories == ["image-to-video", "video-classification"]


def test_one_licence_stands_alone(tmp_path):
    assert head_of(publish(tmp_path, "auto", [sample(0), sample(1)], recipe={}).snapshot)["license"] == "cc0-1.0"


def test_more_classes_than_fit_are_counted_together(tmp_path):
    clips = [sample(n, label=f"class {n:02d}") for n in range(60)]
    text = text_of(publish(tmp_path, "auto", clips, recipe={}).snapshot)
    assert "| class 49 | 1 | 3.0 |\n| 10 others | 10 | 30.0 |\n\n" in text


def test_its_words_on_webdataset_run(published):
    told = run(snippets(published)["webdataset"], published, "    print(record['key'], len(mp4), flac[:4])\n")
    assert sorted(told.splitlines())[2] == "0002 726 b'fLaC'"
    assert len(told.splitlines()) == 4


def test_its_words_on_pyarrow_run(published):
    told = run(snippets(published)["pyarrow"], published, "print(len(index), clip['key'], mp4 == bytes(700))\n")
    assert told == "4 0000 True"


@pytest.mark.skipif(importlib.util.find_spec("datasets") is None, reason="the package datasets is not installed")
def test_its_words_on_datasets_run(published):
    told = run(snippets(published)["datasets"], published, "    print(record['key'], len(mp4), flac[:4])\n")
    assert sorted(told.splitlines())[2] == "0002 726 b'fLaC'"


def test_the_shards_of_other_versions_are_named_in_an_object_store_too(bucket):
    root = place(bucket)
    publish(root, "auto", [sample(n) for n in range(8)], recipe={}, clips_per_shard=4)
    more = publish(root, "auto", [sample(n) for n in range(14)], recipe={}, clips_per_shard=4).snapshot
    assert "14 clips, 42.0 seconds" in text_of(more)
    assert verify(more) == []


def test_verify_finds_a_card_that_changed_or_went(published):
    whole = text_of(published)
    published.file(CARD).write_text(whole.replace("4 clips", "5 clips"))
    assert verify(published) == ["README.md changed: sha256 differs from the manifest's"]
    published.file(CARD).unlink()
    assert verify(published) == ["README.md is missing"]


def test_a_take_down_counts_anew_and_keeps_the_words(published):
    take_down(published.path.parent.parent, ["0003"], reason="asked", at=AT)
    after = open_snapshot(published.path.parent.parent, "auto")
    assert after.id == "auto/v2"
    assert "3 clips, 9.0 seconds" in text_of(after)
    assert "| `score_sync` | how well it fits | little |" in text_of(after)
    assert "local files" not in text_of(after)
    assert not published.file(CARD).exists()
    assert verify(after) == []


def as_before_there_were_cards(snapshot: Snapshot) -> Snapshot:
    """The same snapshot as it would have been published then."""
    from shards.files import checksums, sha256_of

    manifest = {name: told for name, told in snapshot.manifest.items() if name not in ("notes", "card_sha256")}
    snapshot.file(MANIFEST).write_text(json.dumps(manifest, indent=2, sort_keys=True) + "\n")
    snapshot.file(CARD).unlink()
    sums = {path.name: sha256_of(path) for path in snapshot.path.iterdir() if path.name != SUMS}
    snapshot.file(SUMS).write_bytes(checksums(sums))
    return open_snapshot(snapshot.path.parent.parent, snapshot.id)


def test_a_snapshot_of_before_there_were_cards_still_opens_verifies_and_is_built_on(published):
    root, old = published.path.parent.parent, as_before_there_were_cards(published)
    assert verify(old) == []
    clips = [sample(n) for n in range(4)]
    more = publish(root, "auto", clips, recipe={"x": 1}, clips_per_shard=2).snapshot
    assert more.id == "auto/v2" and "4 clips" in text_of(more)
    take_down(root, ["0001"], reason="asked", at=AT)
    assert "3 clips" in text_of(open_snapshot(root, "auto"))


def test_new_words_alone_make_no_new_version(published):
    clips = [sample(0)]
    first = publish(published.path.parent.parent, "b", clips, recipe={}, notes=NOTES)
    again = publish(published.path.parent.parent, "b", clips, recipe={}, notes=CardNotes())
    assert (first.fresh, again.fresh) == (True, False)


def test_the_same_clips_give_the_same_card_byte_for_byte(published, tmp_path):
    shutil.copytree(published.path, tmp_path / "kept")
    clips = [
        sample(3, licence="", link="films/at home.mp4", verdict={"verdict": "accept", "reviewer": "ann", "reason": ""}),
        sample(2, licence="my own", link="https://ann:secret@video.example.org:8443/v?sig=hush#here"),
        sample(1, licence="CC BY 4.0", label="a | b <script>"),
        sample(0, licence="CC BY 4.0"),
    ]
    again = publish(tmp_path / "b", "auto", clips, recipe={"x": 1}, clips_per_shard=2, notes=NOTES).snapshot
    assert again.file(CARD).read_bytes() == (tmp_path / "kept" / CARD).read_bytes()


@pytest.mark.parametrize(
    ("link", "host"),
    [
        ("https://www.Example.org./v.mp4", "www.example.org"),
        ("http://me:pw@example.org:81/v", "example.org"),
        ("https://bücher.example/v", "xn--bcher-kva.example"),
        ("http://93.184.215.14/v", "93.184.215.14"),
        ("http://10.0.0.7/v", PRIVATE),
        ("http://[::1]:80/v", PRIVATE),
        ("http://intranet/v", PRIVATE),
        ("http://films.corp/v", PRIVATE),
        ("s3://our-bucket/films/v.mp4", STORE),
        ("films/v.mp4", LOCAL),
        ("http://a|b.org/v", UNREADABLE),
        ("http://[bad/v", UNREADABLE),
        ("https:///v", UNREADABLE),
    ],
)
def test_a_host_is_told_and_nothing_that_is_private(link, host):
    assert public_host(link) == host


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("CC BY 4.0", "cc-by-4.0"),
        ("CC0", "cc0-1.0"),
        ("https://creativecommons.org/licenses/by-nc-sa/3.0/", "cc-by-nc-sa-3.0"),
        ("Creative Commons Attribution license (reuse allowed)", "cc"),
        ("MIT", "mit"),
        ("Standard YouTube License", "other"),
        ("  ", "unknown"),
    ],
)
def test_the_hub_has_names_for_licences(written, name):
    assert hub_licence(written) == name


def test_sizes_are_named_as_on_the_hub():
    assert [size_category(10**n) for n in range(2, 8)] == [
        "n<1K", "1K<n<10K", "10K<n<100K", "100K<n<1M", "1M<n<10M", "n>10M",
    ]  # fmt: skip
