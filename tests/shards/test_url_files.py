"""Weights from their authors' server, which here runs on loopback: whole, as large as agreed, as described, or not."""

import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from shards.errors import Unavailable
from shards.url_files import fetch_url
from shards.weight_sets import WeightFile, Weights
from shards.weights import add_local, fetch, find, folder_of, status, verify

BODY = bytes(range(256)) * 4096
MD5 = hashlib.md5(BODY).hexdigest()


class Store(BaseHTTPRequestHandler):
    """Knows ranges; `/plain` does not, `/short` breaks off half-way, `/away` leads to another scheme."""

    def do_GET(self):
        asked = self.headers.get("Range")
        self.server.ranges.append(asked)
        if self.path == "/none":
            return self.send_error(404)
        if self.path == "/away":
            return self.answer(302, b"", {"Location": "ftp://127.0.0.1/file.pt"})
        if self.path == "/endless":
            return self.answer(200, BODY, {"Transfer-Encoding": "none"}, length=None)
        first = int(asked.removeprefix("bytes=").rstrip("-")) if asked and self.path != "/plain" else 0
        if first >= len(BODY):
            return self.send_error(416)
        body = BODY[first : len(BODY) // 2] if self.path == "/short" else BODY[first:]
        headers = {"Content-Range": f"bytes {first}-{len(BODY) - 1}/{len(BODY)}"} if first else {}
        return self.answer(206 if first else 200, body, headers, length=len(BODY) - first)

    def answer(self, code, body, headers, length=0):
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name, value)
        if length is not None:
            self.send_header("Content-Length", str(length))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def store(monkeypatch):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Store)
    server.ranges = []
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    monkeypatch.setattr("shards.url_files.SCHEMES", ("https", "http"))
    server.url = f"http://127.0.0.1:{server.server_port}"
    yield server
    server.shutdown()
    server.server_close()


def bring(url, folder, **chosen):
    fetch_url(url, folder / "file.pt", **{"most_bytes": 10**7, "remedy": "try again", **chosen})
    return folder / "file.pt"


def test_a_file_comes_whole_and_leaves_nothing_beside_it(store, tmp_path):
    said = []
    path = bring(f"{store.url}/file.pt", tmp_path, md5=MD5[:7], told=lambda *one: said.append(one))
    assert path.read_bytes() == BODY and list(tmp_path.iterdir()) == [path]
    assert said[-1] == (len(BODY), len(BODY))


def test_what_broke_off_is_not_taken_for_the_file_and_the_next_try_goes_on(store, tmp_path):
    with pytest.raises(Unavailable, match="did not come"):
        bring(f"{store.url}/short", tmp_path)
    assert list(tmp_path.glob("*.pt*")) == []
    assert bring(f"{store.url}/file.pt", tmp_path, md5=MD5).read_bytes() == BODY
    assert store.ranges == [None, f"bytes={len(BODY) // 2}-"]


@pytest.mark.parametrize("kept", [b"something else", BODY, BODY + b"more"])
def test_a_server_without_ranges_or_a_kept_part_that_is_too_long_begins_anew(kept, store, tmp_path):
    (tmp_path / "partial").mkdir()
    (tmp_path / "partial" / "file.pt").write_bytes(kept)
    path = "plain" if kept != BODY + b"more" else "file.pt"
    assert bring(f"{store.url}/{path}", tmp_path, md5=MD5).read_bytes() == BODY


@pytest.mark.parametrize(
    ("path", "chosen", "why"),
    [
        ("none", {}, "404"),
        ("away", {}, "no address of https"),
        ("file.pt", {"most_bytes": 1 << 19}, "1 MiB, more than the 0"),
        ("endless", {"most_bytes": 1 << 19}, "larger than 0 MiB"),
        ("file.pt", {"md5": "abcdef0"}, "another file than its authors describe"),
    ],
)
def test_what_does_not_come_as_agreed_is_said_with_what_mends_it(path, chosen, why, store, tmp_path):
    with pytest.raises(Unavailable, match=why) as lack:
        bring(f"{store.url}/{path}", tmp_path, **chosen)
    assert lack.value.remedy == "try again" and list(tmp_path.glob("*.pt")) == []


def test_a_wrong_file_is_not_gone_on_from(store, tmp_path):
    with pytest.raises(Unavailable):
        bring(f"{store.url}/file.pt", tmp_path, md5="abcdef0")
    bring(f"{store.url}/file.pt", tmp_path)
    assert store.ranges == [None, None]


def test_only_https_is_asked(tmp_path):
    with pytest.raises(Unavailable, match="no address of https"):
        bring("http://127.0.0.1:9/file.pt", tmp_path)


# ---- as a set of weights


@pytest.fixture
def served(store, tmp_path, monkeypatch):
    """The set `synchformer`, its address on loopback."""
    monkeypatch.setenv("CLAPBOARD_WEIGHTS", str(tmp_path / "weights"))
    file = WeightFile("", "*.pt*", "", url=f"{store.url}/24-01-04T16-39-21.pt", md5=MD5[:7])
    monkeypatch.setattr("shards.weights.KNOWN", (Weights("synchformer", "a score", "MIT", 2, (file,)),))
    return store


def test_weights_come_from_their_authors_and_their_digest_is_noted(served):
    steps = []
    folder = fetch("synchformer", progress=lambda *step: steps.append(step))
    assert (folder / "24-01-04T16-39-21.pt").read_bytes() == BODY
    assert status("synchformer").verified and verify("synchformer") == []
    assert steps[1] == (0, 1, "24-01-04T16-39-21.pt, 1 of 1 MiB") and steps[-1] == (1, 1, "checking")
    (folder / "24-01-04T16-39-21.pt").write_bytes(b"changed")
    with pytest.raises(Unavailable, match="changed"):
        fetch("synchformer")
    assert len(served.ranges) == 1


def test_what_was_added_by_path_is_not_fetched_again(served, tmp_path):
    (tmp_path / "mine.pth").write_bytes(b"tensors")
    add_local("synchformer", tmp_path / "mine.pth")
    assert fetch("synchformer") == folder_of("synchformer") and served.ranges == []


def test_the_addresses_are_their_authors_and_end_in_the_models_they_are_for():
    for name, run in (("synchformer", "24-01-04T16-39-21"), ("synchformer_synchronisable", "24-01-22T20-34-52")):
        [file] = find(name).files
        assert file.url.startswith("https://a3s.fi/") and file.url.endswith(f"/{run}/{run}.pt") and len(file.md5) == 7
