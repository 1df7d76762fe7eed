"""The hostile server: a process of its own, so that what it builds is not taken for memory of those who fetch.

Run as `python -m bench.hostile.server SEED FOLDER`; it prints its port, serves case N below /N/ and the files of the
folder below /good/, and ends with its standard input.
"""

import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from bench.hostile.answers import cases
from bench.hostile.case import DASH, HLS, head

KINDS = {".m3u8": HLS, ".mpd": DASH}


def main() -> None:
    """Entry point."""
    found, folder = cases(int(sys.argv[1])), Path(sys.argv[2])

    class Handler(BaseHTTPRequestHandler):
        timeout = 60

        def do_GET(self) -> None:
            number, _, rest = self.path.removeprefix("/").partition("/")
            if number == "good":
                _send(self, folder / rest)
            elif number.isdigit() and int(number) < len(found):
                found[int(number)].answer(self, rest.partition("?")[0])
            else:
                self.send_error(404)

        do_HEAD = do_GET

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 100

        def handle_error(self, *_: object) -> None:
            """Those who are killed hang up."""

    web = Server(("127.0.0.1", 0), Handler)
    Thread(target=web.serve_forever, daemon=True).start()
    print(web.server_port, flush=True)
    sys.stdin.read()


def _send(request: BaseHTTPRequestHandler, file: Path) -> None:
    if not file.is_file():
        request.send_error(404)
        return
    data = file.read_bytes()
    head(request, {"Content-Type": KINDS.get(file.suffix, "video/mp4"), "Content-Length": str(len(data))})
    request.wfile.write(data)


if __name__ == "__main__":
    main()
