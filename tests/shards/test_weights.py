"""Weights come by command only, from a hub that here runs on loopback; what changed since is named, never blessed."""

import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

import pytest

from shards.errors import BadInput, Unavailable
from shards.weights import LOCK, add_local, fetch, find, folder_of, known, require, status, verify

WAN = "wan2.1-1.3b"
INDEX = json.dumps({"weight_map": {"a": "part-1.safetensors", "b": "part-2.safetensors"}}).encode()
WAN_FILES = {
    "model_index.json": b"{}",
    "transformer/part.safetensors.index.json": INDEX,
    "transformer/part-1.safetensors": b"first",
    "transformer/part-2.safetensors": b"second",
    "vae/weights.safetensors": b"vae",
    "text_encoder/weights.safetensors": b"text",
    "tokenizer/spiece.model": b"words",
    "scheduler/scheduler_config.json": b"{}",
    "README.md": b"not asked for",
}
HUB = {WAN: WAN_FILES, "clip": {"open_clip_model.safetensors": b"not LAION's bytes"}}


class Hub(BaseHTTPRequestHandler):
    """The three requests that the hub's client makes: a repository's list, a file's head, a file."""

    def do_GET(self):
        parts = unquote(urlsplit(self.path).path).strip("/").split("/")
        found = self.files_of("/".join(parts[2:4] if parts[0] == "api" else parts[:2]))
        if found is None:
            return self.answer(404, b"{}", {"X-Error-Code": "RepoNotFound"})
        files, commit = found
        if parts[0] != "api":
            return self.answer(200, files["/".join(parts[4:])], {})
        if "tree" in parts:
            tree = [
                {"type": "file", "path": name, "size": len(data), "oid": hashlib.sha1(data).hexdigest()}
                for name, data in files.items()
            ]
            return self.answer(200, json.dumps(tree).encode(), {})
        siblings = [{"rfilename": name} for name in files]
        return self.answer(200, json.dumps({"id": "x/y", "sha": commit, "siblings": siblings}).encode(), {})

    do_HEAD = do_GET

    def files_of(self, repo):
        for name, files in HUB.items():
            one = find(name).files[0]
            if one.repo == repo:
                return files, one.revision
        return None

    def answer(self, code, body, headers):
        self.send_response(code)
        etag = hashlib.sha256(body).hexdigest()
        for name, value in {"Content-Length": len(body), "ETag": f'"{etag}"', **headers}.items():
            self.send_header(name, str(value))
        parts = unquote(urlsplit(self.path).path).strip("/").split("/")
        if "resolve" in parts:
            self.send_header("X-Repo-Commit", parts[parts.index("resolve") + 1])
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("CLAPBOARD_WEIGHTS", str(tmp_path / "weights"))
    return tmp_path / "weights"


@pytest.fixture
def hub(monkeypatch):
    """The hub's own client, pointed at a server of ours."""
    import huggingface_hub.constants as constants

    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr(constants, "ENDPOINT", url)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", url + "/{repo_id}/resolve/{revision}/{filename}")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    yield url
    server.shutdown()
    server.server_close()


def wan_folder(folder):
    for name, data in WAN_FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def test_fetches_the_files_asked_for_and_notes_their_digests(hub):
    steps = []
    folder = fetch(WAN, progress=lambda *step: steps.append(step))
    noted = json.loads((folder / LOCK).read_text())
    assert set(noted) == set(WAN_FILES) - {"README.md"}
    assert noted["vae/weights.safetensors"] == {"sha256": hashlib.sha256(b"vae").hexdigest(), "bytes": 3}
    assert not (folder / "README.md").exists()
    assert steps[-1] == (6, 6, "checking")
    assert (status(WAN).present, status(WAN).verified, verify(WAN)) == (True, True, [])
    assert require(WAN) == folder


def test_a_file_that_changed_is_named_and_a_second_fetch_does_not_bless_it(hub):
    folder = fetch(WAN)
    (folder / "vae/weights.safetensors").write_bytes(b"evi")
    assert verify(WAN) == ["vae/weights.safetensors changed"]
    with pytest.raises(Unavailable, match=r"vae/weights\.safetensors changed") as caught:
        fetch(WAN)
    assert str(folder) in caught.value.remedy
    assert verify(WAN) == ["vae/weights.safetensors changed"]


def test_a_file_of_another_size_is_no_longer_verified(hub):
    (fetch(WAN) / "vae/weights.safetensors").write_bytes(b"longer")
    assert (status(WAN).present, status(WAN).verified) == (True, False)


def test_refuses_bytes_that_do_not_match_the_pinned_digest(hub):
    with pytest.raises(Unavailable, match=r"not what was asked for: open_clip_model\.safetensors changed"):
        fetch("clip")
    assert not (folder_of("clip") / LOCK).exists()
    assert not status("clip").verified


def test_a_hub_without_the_repository_is_named_with_the_way_round_it(hub):
    with pytest.raises(Unavailable, match="lukewys/laion_clap") as caught:
        fetch("clap")
    assert "by hand" in caught.value.remedy


def test_a_hub_that_is_away_is_named_with_the_way_round_it(hub, monkeypatch):
    import huggingface_hub.constants as constants

    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", lambda _: None)  # the client's waits: 23 s
    with pytest.raises(Unavailable, match="the hub gave no") as caught:
        fetch("clip")
    assert f"put the files into {folder_of('clip')} by hand" in caught.value.remedy


def test_asks_no_hub_where_the_user_has_forbidden_it(hub, monkeypatch):
    import huggingface_hub.constants as constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(Unavailable, match="the hub gave no") as caught:
        fetch(WAN)
    assert "HF_HUB_OFFLINE" in caught.value.remedy


def test_absent_weights_are_refused_with_the_command_that_fetches_them():
    with pytest.raises(Unavailable, match="weights absent") as caught:
        require("clip")
    assert caught.value.remedy == "clapboard weights fetch clip"
    assert verify("clip") == ["weights absent: clapboard weights fetch clip"]


def test_files_put_there_by_hand_are_noted_at_their_first_use():
    folder = wan_folder(folder_of(WAN))
    assert not status(WAN).verified
    assert require(WAN) == folder and status(WAN).verified


def test_what_is_not_the_pinned_file_or_changed_is_not_used(hub):
    folder_of("clip").mkdir(parents=True)
    (folder_of("clip") / "open_clip_model.safetensors").write_bytes(b"cut off")
    with pytest.raises(Unavailable, match=r"open_clip_model\.safetensors changed") as caught:
        require("clip")
    assert "clapboard weights fetch clip" in caught.value.remedy
    (fetch(WAN) / "vae/weights.safetensors").write_bytes(b"longer")
    with pytest.raises(Unavailable, match=r"vae/weights\.safetensors changed"):
        require(WAN)


def test_takes_a_folder_that_the_user_has(tmp_path):
    state = add_local(WAN, wan_folder(tmp_path / "mine"))
    assert (state.present, state.verified, verify(WAN)) == (True, True, [])
    assert not (folder_of(WAN) / "README.md").exists()


def test_links_a_folder_that_the_user_has(tmp_path):
    add_local(WAN, wan_folder(tmp_path / "mine"), link=True)
    assert (folder_of(WAN) / "vae/weights.safetensors").is_symlink()
    assert verify(WAN) == []


def test_notes_files_that_were_put_into_the_cache_by_hand():
    wan_folder(folder_of(WAN))
    assert verify(WAN)[0].endswith(f"was never noted: clapboard weights fetch {WAN}")
    assert add_local(WAN, folder_of(WAN)).verified
    assert verify(WAN) == []


def test_a_shard_that_the_index_names_but_is_not_there_makes_the_set_incomplete(tmp_path):
    mine = wan_folder(tmp_path / "mine")
    (mine / "transformer/part-2.safetensors").unlink()
    state = add_local(WAN, mine)
    assert (state.present, state.why) == (False, "transformer/part-2.safetensors is missing")
    assert not (folder_of(WAN) / LOCK).exists()
    assert add_local(WAN, wan_folder(tmp_path / "mine")).present


def test_refuses_a_local_file_that_is_another_one_or_does_not_belong(tmp_path):
    (tmp_path / "open_clip_model.safetensors").write_bytes(b"something else")
    with pytest.raises(BadInput, match="is another file than clip needs"):
        add_local("clip", tmp_path / "open_clip_model.safetensors")
    assert not folder_of("clip").exists()
    (tmp_path / "notes.txt").write_text("x")
    for path in (tmp_path / "notes.txt", tmp_path / "nowhere"):
        with pytest.raises(BadInput, match="holds no file of clip"):
            add_local("clip", path)


def test_an_unknown_name_is_answered_with_the_known_ones():
    with pytest.raises(BadInput) as caught:
        status("clop")
    assert all(one.name in caught.value.remedy for one in known())


def test_every_file_is_pinned_to_a_commit_and_the_encoders_files_to_their_bytes():
    unpinned = {f"facebook/pe-av-{size}" for size in ("small", "base", "large")}
    unpinned.add("Wan-AI/Wan2.1-I2V-14B-480P-Diffusers")
    for one in (file for weights in known() for file in weights.files if file.repo not in unpinned and file.repo):
        assert len(one.revision) == 40
        # Where no digest was to be had, the commit names the bytes and the first fetch notes their digest.
        assert (
            one.is_pattern
            or one.repo == "laion/clap-htsat-unfused"
            or one.repo.startswith("Wan-AI/")
            or len(one.sha256) == 64
        )


def test_weights_of_an_address_come_by_path_too_under_any_name(tmp_path):
    assert status("synchformer").remedy == "clapboard weights fetch synchformer"
    (tmp_path / "24-01-04T16-39-21.pt").write_bytes(b"tensors")
    added = add_local("synchformer", tmp_path / "24-01-04T16-39-21.pt", link=True)
    assert added.present and added.verified and verify("synchformer") == []
    assert fetch("synchformer") == added.path, "what is there is noted, and nothing is asked for"
    assert not status("synchformer_synchronisable").present


def test_a_second_file_of_such_weights_is_named(tmp_path):
    for name in ("a.pt", "b.pth"):
        (tmp_path / name).write_bytes(name.encode())
    add_local("synchformer", tmp_path / "a.pt")
    with pytest.raises(Unavailable, match=r"b\.pth came later") as lack:
        add_local("synchformer", tmp_path / "b.pth")
    assert lack.value.remedy == f"delete {folder_of('synchformer')} and run `clapboard weights fetch synchformer`"
