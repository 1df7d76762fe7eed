"""Run the review page on this machine: make the one-time link, cut previews when they are asked for, serve.

Only the loopback is served. The page has one link and one reviewer; a network needs users and encryption first.
"""

import secrets
import shlex
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Lock
from urllib.parse import urlencode

import uvicorn
from fastapi import FastAPI
from sqlalchemy import select

from curation.cutting import Cutter, cut_clip, cut_files
from curation.home import Home
from curation.ledger.open import Ledger
from curation.ledger.tables import ClipRow
from curation.media.cut import cut
from curation.media.sandbox import MediaWorkers
from curation.media.settings import CutSettings
from curation.review.app import Media, create_app
from curation.review.security import ENTER_PATH
from shards.errors import BadInput

LOOPBACK_HOSTS = ("127.0.0.1", "::1", "localhost")
GRACE_S = 2


def serve(
    home: Home,
    *,
    reviewer: str,
    settings: CutSettings,
    announce: Callable[[str], None],
    host: str = "127.0.0.1",
    port: int = 8420,
) -> None:
    """Serve the review page until the process is told to stop.

    Args:
        home: where the ledger and the videos are.
        reviewer: in whose name answers are written.
        settings: how previews are cut; those of publication, so that a clip is cut once.
        announce: called with the one-time link as soon as it can be opened.
        host: a loopback address.
        port: 0 takes a free one.

    Raises:
        BadInput: the host is not a loopback address, or the port is taken.
    """
    with _listen(host, port) as listener, home.ledger() as ledger, MediaWorkers(count=1) as workers:
        token = secrets.token_urlsafe(32)
        app = create_app(
            ledger,
            media=previews(ledger, home=home, settings=settings, cutter=workers.cut),
            token=token,
            reviewer=reviewer,
            publish_command=shlex.join(["clapboard", "publish", "--home", str(home.root)]),
        )
        announce(entry_link(host, listener.getsockname()[1], token))
        with suppress(KeyboardInterrupt):
            uvicorn.Server(_quiet(app)).run(sockets=[listener])


def entry_link(host: str, port: int, token: str) -> str:
    """The link that lets the first browser in."""
    name = f"[{host}]" if ":" in host else host
    return f"http://{name}:{port}{ENTER_PATH}?{urlencode({'token': token})}"


def previews(ledger: Ledger, *, home: Home, settings: CutSettings, cutter: Cutter = cut) -> Media:
    """A function from clip id to mp4, cutting the clip when that was not done yet."""
    # One at a time: a cut holds its frames in memory, and the page asks for the next while one is being made.
    one_at_a_time = Lock()

    def preview(clip_id: str) -> Path | None:
        with ledger.session() as session:
            late_us = session.scalar(select(ClipRow.sound_late_us).where(ClipRow.id == clip_id)) or 0
        files = cut_files(home, clip_id, settings, sound_late_us=late_us)
        if not files.there:
            with one_at_a_time:
                cut_clip(ledger, clip_id, home=home, settings=settings, cutter=cutter)
        return files.mp4 if files.there else None

    return preview


def _quiet(app: FastAPI) -> uvicorn.Config:
    # The access log would write the token down; nothing stands in front of us whose headers count.
    return uvicorn.Config(
        app,
        access_log=False,
        log_level="warning",
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_S,
    )


def _listen(host: str, port: int) -> socket.socket:
    if host not in LOOPBACK_HOSTS:
        raise BadInput(
            f"the review page is not served on {host or 'every address'}: it has one reviewer and no encryption; "
            "named users come in a later version",
            remedy="use --host 127.0.0.1, and an SSH tunnel from elsewhere (ssh -L 8420:127.0.0.1:8420)",
        )
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except (OSError, OverflowError) as error:
        why = getattr(error, "strerror", None) or error
        raise BadInput(f"port {port} of {host} cannot be used: {why}", remedy="--port 0 takes a free one") from error
