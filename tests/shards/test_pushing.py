"""A snapshot reaches the hub whole, once, and only if it may: against a stand-in that speaks the hub's API."""

import json
import logging
from datetime import UTC, datetime

import pytest

from shards.demands import demanded
from shards.errors import BadInput, SnapshotError
from shards.hosts import holds_secret
from shards.hub_errors import HubError, HubFault, without_keys
from shards.publishing import publish
from shards.pushing import push
from shards.shareable import check_not_demanded, check_shareable
from shards.snapshot import open_snapshot, place
from shards.takedown import give_up, take_down
from tests.shards.conftest import sample
from tests.shards.hub_server import TOKEN, Repo, point_to, running
from tests.shards.test_card import as_before_there_were_cards

AT = datetime(2026, 11, 29, tzinfo=UTC)


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """A hub of this test's own, and a token for it."""
    import huggingface_hub.constants

    with running() as hub:
        point_to(hub, monkeypatch)
        monkeypatch.setattr(huggingface_hub.constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
        yield hub


@pytest.fixture
def snapshot(tmp_path):
    return publish(tmp_path / "data", "auto", [sample(n) for n in range(8)], recipe={}, clips_per_shard=2).snapshot


def files_of(snapshot) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in snapshot.path.iterdir()}


def held(hub, name="me/films") -> dict[str, bytes]:
    return {path: data for path, data in hub.repos[name].files.items() if path != ".gitattributes"}


def test_it_lies_there_byte_for_byte_and_private(hub, snapshot):
    done = push(snapshot, "films")
    assert held(hub) == files_of(snapshot)
    assert hub.repos["me/films"].private
    assert (done.url, done.sent, done.there_already, done.removed) == (f"{hub.url}/datasets/me/films", 8, 0, 0)
    assert done.commit == hub.repos["me/films"].commits[-1]
    assert done.sent_bytes == sum(len(data) for data in files_of(snapshot).values())


def test_it_is_seen_by_one_commit(hub, snapshot):
    push(snapshot, "me/films")
    assert len(hub.repos["me/films"].commits) == 2
    assert hub.asked[-1] == "POST /api/datasets/me/films/commit/main"


def test_public_is_what_is_asked_for(hub, snapshot):
    push(snapshot, "films", public=True)
    assert not hub.repos["me/films"].private
    with pytest.raises(BadInput, match="is seen by everybody") as caught:
        push(snapshot, "films")
    assert "--public" in caught.value.remedy
    push(snapshot, "hidden")
    with pytest.raises(BadInput, match="by its owner alone"):
        push(snapshot, "hidden", public=True)


def test_the_same_again_sends_nothing(hub, snapshot):
    push(snapshot, "films")
    before = len(hub.repos["me/films"].commits), hub.puts
    done = push(snapshot, "films")
    assert (done.sent, done.there_already, done.commit) == (0, 8, "")
    assert (len(hub.repos["me/films"].commits), hub.puts) == before


def test_a_push_that_broke_off_goes_on_and_sends_no_shard_twice(hub, snapshot, monkeypatch):
    monkeypatch.setattr("shards.pushing.AT_ONCE", 1)
    hub.puts_until_it_dies = 3
    with pytest.raises(HubError) as caught:
        push(snapshot, "films")
    assert "what was sent is not sent twice" in caught.value.remedy
    assert held(hub) == {}
    hub.puts_until_it_dies, hub.asked = None, []
    push(snapshot, "films")
    assert held(hub) == files_of(snapshot)
    assert hub.puts == 2  # one shard and the index


def test_the_next_version_takes_the_place_of_the_one_before(hub, snapshot, tmp_path):
    push(snapshot, "films")
    rows = snapshot.index().to_pylist()
    take_down(tmp_path / "data", [row["key"] for row in rows if row["shard"] < "000002.tar"], reason="asked", at=AT)
    after = open_snapshot(tmp_path / "data", "auto")
    hub.asked = []
    done = push(after, "films")
    assert held(hub) == files_of(after)
    # Both shards that are left have other numbers now; new are the index and three small files.
    assert (done.removed, done.sent, done.there_already, hub.puts) == (2, 4, 2, 1)


def test_another_file_that_people_put_there_stays(hub, snapshot):
    push(snapshot, "films")
    hub.repos["me/films"].files["LICENSE"] = b"words"
    push(snapshot, "films")
    assert held(hub)["LICENSE"] == b"words"


def test_a_repository_of_something_else_is_left_alone(hub, snapshot):
    hub.repos["me/films"] = Repo(private=True, files={"model.safetensors": b"weights"})
    with pytest.raises(BadInput, match=r"something else than a snapshot \(model\.safetensors\)"):
        push(snapshot, "films")
    assert held(hub) == {"model.safetensors": b"weights"}


def test_progress_is_told(hub, snapshot):
    told = []
    push(snapshot, "films", progress=lambda *one: told.append(one))
    assert told[0][:2] == (0, 8) and told[-1] == (8, 8, "sent")


def test_no_token_is_told_before_anything_is_asked(hub, snapshot, monkeypatch):
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(HubError) as caught:
        push(snapshot, "films")
    assert (caught.value.fault, hub.asked) == (HubFault.NO_TOKEN, [])
    assert "HF_TOKEN" in caught.value.remedy and "hf auth login" in caught.value.remedy


def test_the_token_of_the_hubs_own_login_serves(hub, snapshot, monkeypatch, tmp_path):
    monkeypatch.delenv("HF_TOKEN")
    (tmp_path / "token").write_text(TOKEN)
    push(snapshot, "films")
    assert hub.tokens - {""} == {TOKEN}


def test_a_token_that_nobody_knows(hub, snapshot, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_unknown")
    with pytest.raises(HubError) as caught:
        push(snapshot, "films")
    assert caught.value.fault is HubFault.NOT_SIGNED_IN


@pytest.mark.parametrize(
    ("repo", "refuse", "fault"),
    [
        ("others/films", {}, HubFault.NO_RIGHTS),
        ("me/films", {"commit": 403}, HubFault.NO_RIGHTS),
        ("me/films", {"/api/datasets/me/films$": 404}, HubFault.NOT_THERE),
        ("me/films", {"preupload": 404}, HubFault.NOT_THERE),
        ("me/films", {"batch": 401}, HubFault.NOT_SIGNED_IN),
        ("me/films", {"store": 400}, HubFault.REFUSED),
        ("me/films", {"create": 500}, HubFault.UNREACHABLE),
        ("a/b/c", {}, HubFault.BAD_NAME),
        ("not a name", {}, HubFault.BAD_NAME),
    ],
)
def test_what_the_hub_refuses_is_a_sentence(hub, snapshot, repo, refuse, fault):
    hub.refuse = refuse
    with pytest.raises(HubError) as caught:
        push(snapshot, repo)
    assert (caught.value.fault, caught.value.exit_code) == (fault, 3)
    assert repo in caught.value.message
    assert not any(held(hub, name) for name in hub.repos)


def test_no_network_is_a_sentence(hub, snapshot, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(HubError) as caught:
        push(snapshot, "films")
    assert caught.value.fault is HubFault.UNREACHABLE and "HF_ENDPOINT" in caught.value.remedy


def test_a_hub_without_xet_is_told_with_the_way_around_it(hub, snapshot, monkeypatch):
    import huggingface_hub.constants

    pytest.importorskip("hf_xet")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_DISABLE_XET", False)
    with pytest.raises(HubError, match="xet") as caught:
        push(snapshot, "films")
    assert "HF_HUB_DISABLE_XET=1" in caught.value.remedy


def test_neither_the_token_nor_a_signed_address_is_ever_told(hub, snapshot, caplog, capfd, monkeypatch):
    caplog.set_level(logging.DEBUG)
    hub.refuse = {"store": 400}
    with pytest.raises(HubError) as caught:
        push(snapshot, "films")
    error = caught.value
    told = f"{error} {error.__cause__!r} {caplog.text} {capfd.readouterr()}"
    assert TOKEN not in told
    assert "geheim" not in str(error) and error.__cause__ is None and error.__suppress_context__


def test_words_are_told_without_keys():
    assert without_keys("a https://s3/x?X-Amz-Signature=1&b hf_abc\n c") == "a https://s3/x?*** hf_*** c"


def test_a_snapshot_that_changed_is_refused(snapshot):
    data = bytearray(snapshot.shards()[1].read_bytes())
    data[700] ^= 1
    snapshot.shards()[1].write_bytes(data)
    with pytest.raises(SnapshotError, match=r"000001\.tar changed"):
        check_shareable(snapshot)


def test_what_was_taken_down_or_shall_be_is_refused(hub, snapshot, tmp_path):
    check_shareable(snapshot)
    demanded(tmp_path / "data", ["0003"], reason="asked", at=AT)  # and the process died
    with pytest.raises(SnapshotError, match="1 clips whose removal was demanded") as caught:
        check_shareable(snapshot)
    assert "clapboard takedown" in caught.value.remedy
    give_up(snapshot, reason="asked")
    with pytest.raises(SnapshotError, match="withdrawn"):
        check_not_demanded(snapshot)


def test_what_is_demanded_while_it_is_sent_is_not_seen(hub, snapshot, tmp_path):
    def meanwhile(done, total, name):
        demanded(tmp_path / "data", ["0003"], reason="asked", at=AT)

    with pytest.raises(SnapshotError, match="demanded"):
        push(snapshot, "films", progress=meanwhile, check=lambda: check_not_demanded(snapshot))
    assert held(hub) == {}


def test_links_with_keys_are_refused_unless_anybody_may_have_them(tmp_path):
    clips = [sample(0), sample(1, link="https://cdn.example.org/v.mp4?X-Amz-Signature=abc")]
    snapshot = publish(tmp_path, "auto", clips, recipe={}).snapshot
    with pytest.raises(BadInput, match="links of 1 clips"):
        check_shareable(snapshot)
    check_shareable(snapshot, links_as_they_are=True)


@pytest.mark.parametrize(
    ("link", "secret"),
    [
        ("https://me:pw@example.org/v", True),
        ("https://me@example.org/v", True),
        ("https://example.org/v?access_token=1", True),
        ("https://example.org/v?a=1&SIG=1", True),
        ("https://example.org/v?api_key=1", True),
        ("https://www.youtube.com/watch?v=abc&list=x", False),
        ("https://example.org/v?sig=", False),
        ("https://example.org/@someone/v", False),
        ("films/me@home.mp4", False),
        ("s3://bucket/v.mp4", False),
    ],
)
def test_a_link_that_opens_something_is_known(link, secret):
    assert holds_secret(link) is secret


def test_a_snapshot_of_before_there_were_cards_gets_one_there(hub, snapshot):
    card = snapshot.file("README.md").read_text()
    old = as_before_there_were_cards(snapshot)
    push(old, "films")
    assert held(hub)["README.md"].decode().startswith(card.split("## Scores")[0])
    assert {**held(hub), "README.md": b""} == {**files_of(old), "README.md": b""}


def test_a_snapshot_of_an_object_store_is_pushed_if_its_files_lie_together(hub, bucket):
    root = place(bucket)
    first = publish(root, "auto", [sample(n) for n in range(8)], recipe={}, clips_per_shard=4).snapshot
    push(first, "films")
    assert held(hub) == files_of(first)
    assert [one["name"] for one in json.loads(held(hub)["snapshot.json"])["shards"]] == sorted(
        name for name in held(hub) if name.endswith(".tar")
    )
    more = publish(root, "auto", [sample(n) for n in range(9)], recipe={}, clips_per_shard=4).snapshot
    with pytest.raises(BadInput, match="do not lie together"):
        check_shareable(more)
