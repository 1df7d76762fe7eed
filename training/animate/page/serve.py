"""Serve the page: on this machine, unless other addresses are named."""

import os
import socket
import tempfile
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI
from starlette.middleware.trustedhost import TrustedHostMiddleware

from shards.errors import BadInput, Unavailable
from training.animate.animator import Animator
from training.animate.page.blocks import STYLE, build_page
from training.animate.page.examples import write_examples
from training.animate.page.guard import SameOrigin
from training.animate.page.studio import Studio

LOOPBACK = ("127.0.0.1", "localhost", "::1")
MOST_MB = 50
GRACE_S = 2


def serve_page(
    animator: Animator,
    *,
    host: str = "127.0.0.1",
    port: int = 8421,
    announce: Callable[[str], None],
    warn: Callable[[str], None] = lambda _: None,
) -> None:
    """Serve until the process is told to stop; what was uploaded and made is then deleted.

    Args:
        animator: makes the videos.
        host: an address of this machine.
        port: 0 takes a free one.
        announce: called with the address as soon as it can be opened.
        warn: called with what whoever runs it should know before.

    Raises:
        Unavailable: gradio is not installed.
        BadInput: the port is taken.
    """
    with tempfile.TemporaryDirectory(prefix="clapboard-page-") as folder, _listen(host, port) as listener:
        app = create_app(animator, Path(folder), host=host)
        if host not in LOOPBACK:
            warn(f"warning: whoever reaches {host} can upload files and use this machine; nobody is asked who they are")
        name = f"[{host}]" if ":" in host else host
        announce(f"http://{name}:{listener.getsockname()[1]}/")
        config = uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=GRACE_S)
        with suppress(KeyboardInterrupt):
            uvicorn.Server(config).run(sockets=[listener])


def create_app(animator: Animator, folder: Path, *, host: str = "127.0.0.1") -> FastAPI:
    """The page as an application; all its files lie in `folder`.

    Raises:
        Unavailable: gradio is not installed.
    """
    # Read when gradio is imported: nothing is told to anybody, and uploads lie where they are deleted.
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["GRADIO_TEMP_DIR"] = str(folder / "uploads")
    gradio = _gradio()
    page = build_page(Studio(animator, folder / "made"), write_examples(folder / "examples"))
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    theme = gradio.themes.Base(font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"])
    gradio.mount_gradio_app(
        app, page, path="/", theme=theme, css=STYLE, footer_links=[], run_history=False, max_file_size=f"{MOST_MB}mb",
        ssr_mode=False, show_error=False, pwa=False, allowed_paths=[str(folder / "made"), str(folder / "examples")],
    )  # fmt: skip
    app.add_middleware(SameOrigin)
    if host in LOOPBACK:
        # A name that was made to lead here is no name of this machine (DNS rebinding).
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost", "[::1]", "::1"])
    return app


def _gradio() -> Any:
    try:
        with warnings.catch_warnings():
            # pydub looks for a program that the page does not need.
            warnings.simplefilter("ignore")
            import gradio
    except ImportError as error:
        raise Unavailable("the page needs gradio", remedy="pip install 'clapboard[page]'") from error
    return gradio


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except (OSError, OverflowError) as error:
        why = getattr(error, "strerror", None) or error
        raise BadInput(f"port {port} of {host} cannot be used: {why}", remedy="--port 0 takes a free one") from error
