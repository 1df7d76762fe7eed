"""A stand-in for the Hugging Face hub: the few endpoints that an upload of a data set uses, over HTTP.

As `huggingface_hub` 2.4 calls them without Xet: create, info, tree, preupload, LFS batch, PUT, verify, commit.
"""

import base64
import hashlib
import json
import re
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

TOKEN = "hf_aTokenThatMayWrite"


@dataclass
class Repo:
    """What one repository holds: files as bytes, and which of them are LFS objects."""

    private: bool
    files: dict[str, bytes] = field(default_factory=lambda: {".gitattributes": b"*.tar filter=lfs\n"})
    commits: list[str] = field(default_factory=lambda: ["0" * 40])


@dataclass
class Hub:
    """The state of the server, and what it was asked."""

    url: str = ""
    repos: dict[str, Repo] = field(default_factory=dict)
    objects: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)
    refuse: dict[str, int] = field(default_factory=dict)
    puts_until_it_dies: int | None = None

    @property
    def puts(self) -> int:
        return sum(one.startswith("PUT ") for one in self.asked)


def is_lfs(path: str) -> bool:
    return path.endswith((".tar", ".parquet"))


def git_id(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: Hub

    def log_message(self, *_) -> None:
        pass

    def answer(self, status: int, told=None, **headers: str) -> None:
        data = json.dumps(told if told is not None else {}).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") == "chunked":
            pieces = []
            while size := int(self.rfile.readline(), 16):
                pieces.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(pieces)
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def handle_any(self) -> None:
        path = urlsplit(self.path).path
        self.hub.asked.append(f"{self.command} {path}")
        data = self.body()
        token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        self.hub.tokens.add(token)
        for pattern, status in self.hub.refuse.items():
            if re.search(pattern, path):
                return self.answer(status, {"error": f"refused by the test: {path}?X-Amz-Signature=geheim"})
        if self.command != "PUT" and token != TOKEN:
            return self.answer(401, {"error": "Invalid username or password."})
        for pattern, method in ROUTES:
            if found := re.fullmatch(pattern, f"{self.command} {path}"):
                return method(self, data, *found.groups())
        return self.answer(404, {"error": f"no such thing: {path}"})

    do_GET = do_POST = do_PUT = do_HEAD = handle_any

    def create(self, data: bytes) -> None:
        told = json.loads(data)
        name = f"{told['organization'] or 'me'}/{told['name']}"
        if told["organization"] not in (None, "me"):
            return self.answer(403, {"error": "You don't have the rights to create a dataset under this namespace"})
        url = {"url": f"{self.hub.url}/datasets/{name}"}
        if name in self.hub.repos:
            return self.answer(409, url | {"error": "You already created this dataset repo"})
        self.hub.repos[name] = Repo(private=told.get("visibility") == "private" or bool(told.get("private")))
        return self.answer(200, url)

    def info(self, _: bytes, name: str) -> None:
        if name not in self.hub.repos:
            return self.answer(404, {"error": "Repository not found"}, X_Error_Code="RepoNotFound")
        repo = self.hub.repos[name]
        return self.answer(200, {"id": name, "private": repo.private, "sha": repo.commits[-1], "siblings": []})

    def tree(self, _: bytes, name: str) -> None:
        found = []
        for path, data in sorted(self.hub.repos[name].files.items()):
            one = {"type": "file", "path": path, "size": len(data), "oid": git_id(data)}
            if is_lfs(path):
                one["lfs"] = {"oid": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 134}
            found.append(one)
        self.answer(200, found)

    def preupload(self, data: bytes, name: str) -> None:
        files = [
            {"path": one["path"], "uploadMode": "lfs" if is_lfs(one["path"]) else "regular", "shouldIgnore": False}
            for one in json.loads(data)["files"]
        ]
        self.answer(200, {"files": files})

    def batch(self, data: bytes, name: str) -> None:
        objects = []
        for one in json.loads(data)["objects"]:
            told = {"oid": one["oid"], "size": one["size"]}
            if one["oid"] not in self.hub.objects:
                href = f"{self.hub.url}/store/{one['oid']}?X-Amz-Signature=geheim"
                told["actions"] = {
                    "upload": {"href": href},
                    "verify": {"href": f"{self.hub.url}/datasets/{name}/verify"},
                }
            objects.append(told)
        self.answer(200, {"transfer": "basic", "objects": objects})

    def store(self, data: bytes, oid: str) -> None:
        if self.hub.puts_until_it_dies is not None:
            if self.hub.puts_until_it_dies == 0:
                return self.answer(400, {"error": "the store is gone"})
            self.hub.puts_until_it_dies -= 1
        if hashlib.sha256(data).hexdigest() != oid:
            return self.answer(400, {"error": "another digest"})
        self.hub.objects[oid] = data
        return self.answer(200)

    def verify(self, data: bytes, _: str) -> None:
        self.answer(200 if json.loads(data)["oid"] in self.hub.objects else 404)

    def validate(self, data: bytes) -> None:
        good = json.loads(data)["content"].startswith("---\n")
        self.answer(200 if good else 400, {"errors": [], "warnings": []})

    def commit(self, data: bytes, name: str) -> None:
        repo, lines = self.hub.repos[name], [json.loads(line) for line in data.splitlines()]
        if lines[0]["value"].get("parentCommit") not in (None, repo.commits[-1]):
            return self.answer(412, {"error": "A commit has happened since. Please refresh and try again."})
        for line in lines[1:]:
            value = line["value"]
            if line["key"] == "file":
                repo.files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                repo.files[value["path"]] = self.hub.objects[value["oid"]]
            else:
                del repo.files[value["path"]]
        repo.commits.append(hashlib.sha1(data).hexdigest())
        url = f"{self.hub.url}/datasets/{name}/commit/{repo.commits[-1]}"
        return self.answer(200, {"commitUrl": url, "commitOid": repo.commits[-1]})


ROUTES = (
    (r"POST /api/repos/create", Handler.create),
    (r"GET /api/datasets/([^/]+/[^/]+)", Handler.info),
    (r"GET /api/datasets/([^/]+/[^/]+)/tree/main", Handler.tree),
    (r"POST /api/datasets/([^/]+/[^/]+)/preupload/main", Handler.preupload),
    (r"POST /datasets/([^/]+/[^/]+)\.git/info/lfs/objects/batch", Handler.batch),
    (r"PUT /store/(\w+)", Handler.store),
    (r"POST /datasets/([^/]+/[^/]+)/verify", Handler.verify),
    (r"POST /api/validate-yaml", Handler.validate),
    (r"POST /api/datasets/([^/]+/[^/]+)/commit/main", Handler.commit),
)


@contextmanager
def running():
    """A hub on a free port of the loopback."""
    hub = Hub()
    handler = type("OfThisHub", (Handler,), {"hub": hub})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def point_to(hub: Hub, monkeypatch) -> None:
    """Have the hub's client ask this one, with a token that it knows, and without Xet."""
    import huggingface_hub.constants

    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
