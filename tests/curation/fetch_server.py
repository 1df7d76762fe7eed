"""A web server on loopback that misbehaves on demand; a helper of the tests of fetching."""

import hashlib
import select
import socket
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Answer = Callable[[BaseHTTPRequestHandler], None]


@dataclass
class Server:
    base_url: str
    port: int
    routes: dict[str, Answer] = field(default_factory=dict)
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)

    def count(self, path: str) -> int:
        return sum(one == path for one, _ in self.asked)

    def link(self, path: str, answer: Answer) -> str:
        self.routes[path] = answer
        return self.base_url + path


@contextmanager
def serve() -> Iterator[Server]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            server.asked.append((path, self.headers.get("Range")))
            server.routes.get(path, status(404))(self)

        def log_message(self, *args: object) -> None:
            pass

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request, client_address) -> None:
            pass

    web = Quiet(("127.0.0.1", 0), Handler)
    server = Server(f"http://127.0.0.1:{web.server_port}", web.server_port)
    thread = threading.Thread(target=web.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.stop.set()
        web.shutdown()
        web.server_close()
        thread.join()


@contextmanager
def socks5(port: int) -> Iterator[tuple[int, list[str]]]:
    """A SOCKS5 proxy that leads every name to a port of this machine: its own port, and the names it was asked for."""
    asked: list[str] = []

    class Proxy(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            methods = self.request.recv(2)[1]
            self.request.recv(methods)
            self.request.sendall(b"\x05\x00")
            _, _, _, kind, length = self.request.recv(5)
            rest = self.request.recv(length + 2)
            asked.append(rest[:-2].decode() if kind == 3 else f"an address of kind {kind}")
            self.request.sendall(b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00")
            with socket.create_connection(("127.0.0.1", port)) as there:
                other = {self.request: there, there: self.request}
                while True:
                    for one in select.select(list(other), [], [], 5)[0]:
                        if not (data := one.recv(1 << 16)):
                            return
                        other[one].sendall(data)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Proxy) as proxy:
        proxy.daemon_threads = True
        thread = threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield proxy.server_address[1], asked
        proxy.shutdown()
        thread.join()


def in_turn(*answers: Answer) -> Answer:
    """One answer after another; the last one stays."""
    left = list(answers)
    return lambda request: (left.pop(0) if len(left) > 1 else left[0])(request)


def hang_up(request: BaseHTTPRequestHandler) -> None:
    """Closes the connection without a word."""
    request.close_connection = True


def tag(data: bytes) -> str:
    """The entity tag of a file."""
    return f'"{hashlib.sha256(data).hexdigest()[:16]}"'


def body(
    data: bytes, kind: str = "video/mp4", *, ranges: bool = True, encoding: str = "", tagged: bool = True
) -> Answer:
    """Answers with `data`, or the part of it that a Range header asks for; tells which version it is if `tagged`."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        wanted = request.headers.get("Range") if ranges else None
        if tagged and request.headers.get("If-Range", tag(data)) != tag(data):
            wanted = None
        first = int(wanted.removeprefix("bytes=").split("-")[0]) if wanted else 0
        if wanted and first >= len(data):
            status(416)(request)
            return
        request.send_response(206 if wanted else 200)
        request.send_header("Content-Type", kind)
        request.send_header("Content-Length", str(len(data) - first))
        if tagged:
            request.send_header("ETag", tag(data))
        if encoding:
            request.send_header("Content-Encoding", encoding)
        if wanted:
            request.send_header("Content-Range", f"bytes {first}-{len(data) - 1}/{len(data)}")
        request.end_headers()
        request.wfile.write(data[first:])

    return answer


def status(code: int) -> Answer:
    return lambda request: request.send_error(code)


def redirect(target: str, code: int = 302) -> Answer:
    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(code)
        request.send_header("Location", target)
        request.send_header("Content-Length", "0")
        request.end_headers()

    return answer


def cut_off(data: bytes, after: int, *, tagged: bool = True) -> Answer:
    """Promises all of `data`, and hangs up after some bytes."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Type", "video/mp4")
        request.send_header("Content-Length", str(len(data)))
        if tagged:
            request.send_header("ETag", tag(data))
        request.end_headers()
        request.wfile.write(data[:after])

    return answer


def endless(block: bytes, server: Server, *, every_s: float = 0.0, kind: str = "video/mp4") -> Answer:
    """Sends a block again and again, without a stated length, until the client or the test is gone."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Type", kind)
        request.end_headers()
        while not server.stop.wait(every_s):
            request.wfile.write(block)

    return answer


def silence(server: Server) -> Answer:
    """Takes the request and says nothing."""
    return lambda request: server.stop.wait(20) and None
