"""The review page: one flagged clip at a time, judged with single keys, every answer a new row of the ledger.

`/` is the page, `/desk` the part of it that changes from clip to clip, `/media/ID` the clip itself and `/verdict` takes
an answer. Media is found by a clip's id alone: no path ever comes from a browser.
"""

import uuid
from collections import OrderedDict
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from threading import Lock

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.staticfiles import StaticFiles
from jinja2 import Environment, PackageLoader, StrictUndefined
from pydantic import BaseModel, ConfigDict, Field, model_validator
from starlette.responses import FileResponse, HTMLResponse, RedirectResponse, Response

from curation.ledger.open import Ledger
from curation.review import words
from curation.review.desk import UnknownClip, knows_clip, lay_out
from curation.review.queue import RejectReason, Verdict, record
from curation.review.security import ENTER_PATH, Door, let_in, locked, problem, protect
from shards.errors import BadInput

REMEMBERED_ANSWERS = 1024
MEDIA_CACHE = "private, max-age=600"

Media = Callable[[str], Path | None]


class VerdictIn(BaseModel):
    """An answer as the page sends it; `key` is made once per answer, so sending it twice counts once."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: uuid.UUID
    clip_id: str = Field(min_length=1, max_length=40)
    verdict: Verdict
    reason: RejectReason | None = None

    @model_validator(mode="after")
    def _reason_goes_with_a_rejection(self) -> "VerdictIn":
        if (self.verdict is Verdict.REJECT) != (self.reason is not None):
            raise ValueError("a rejection needs a reason, an acceptance has none")
        return self


def create_app(
    ledger: Ledger, *, media: Media, token: str, reviewer: str, publish_command: str = "clapboard publish"
) -> FastAPI:
    """The review application.

    Args:
        ledger: where the queue and the answers are.
        media: the mp4 of a clip that the ledger knows, or None if it cannot be made.
        token: lets the first browser in that opens `/enter?token=...`.
        reviewer: in whose name answers are written.
        publish_command: what to run when the queue is empty.
    """
    app = FastAPI(title="Clapboard review", docs_url=None, redoc_url=None, openapi_url=None)
    door, page = Door(token), _Page(ledger, reviewer, publish_command)
    app.state.answers = Answers(ledger, reviewer)
    app.mount("/static", StaticFiles(packages=[("curation.review", "static")]), name="static")
    _add_errors(app)
    _add_pages(app, door, page)
    _add_media(app, ledger, media)
    protect(app, door)
    return app


class Answers:
    """Writes answers, each key once; remembers the newest keys only."""

    def __init__(self, ledger: Ledger, reviewer: str) -> None:
        self._ledger = ledger
        self._reviewer = reviewer
        self._seen: OrderedDict[uuid.UUID, VerdictIn] = OrderedDict()
        self._lock = Lock()

    def take(self, answer: VerdictIn) -> None:
        """Write an answer unless its key was seen.

        Raises:
            UnknownClip: the ledger holds no such clip.
            BadInput: the key came with another answer before.
        """
        with self._lock:
            if known := self._seen.get(answer.key):
                if known != answer:
                    raise BadInput("this key was used for another answer", remedy="reload the page")
                return
            if not knows_clip(self._ledger, answer.clip_id):
                raise UnknownClip(f"there is no clip {answer.clip_id}", remedy="reload the page")
            record(self._ledger, [answer.clip_id], answer.verdict, reviewer=self._reviewer, reason=answer.reason)
            self._seen[answer.key] = answer
            while len(self._seen) > REMEMBERED_ANSWERS:
                self._seen.popitem(last=False)


class _Page:
    """Draws the page and its changing part."""

    def __init__(self, ledger: Ledger, reviewer: str, publish_command: str) -> None:
        self._ledger = ledger
        self._reviewer = reviewer
        self._templates = Environment(
            loader=PackageLoader("curation.review"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.globals |= {
            "say": words,
            "reviewer": reviewer,
            "publish_command": publish_command,
            "reasons": words.REASONS,
        }

    def draw(self, template: str, clip_id: str | None = None) -> HTMLResponse:
        desk = lay_out(self._ledger, reviewer=self._reviewer, clip_id=clip_id)
        return HTMLResponse(self._templates.get_template(template).render(desk=desk))


def _add_pages(app: FastAPI, door: Door, page: _Page) -> None:
    @app.get(ENTER_PATH)
    def enter(request: Request, token: str = "") -> Response:
        session = door.enter(token)
        if session is None and not door.knows(request):
            return locked()
        response = RedirectResponse("/", HTTPStatus.SEE_OTHER)
        if session:
            let_in(response, request, session)
        return response

    @app.get("/")
    def whole_page() -> Response:
        return page.draw("page.html")

    @app.get("/desk")
    def next_clip() -> Response:
        return page.draw("desk.html")

    @app.get("/desk/{clip_id}")
    def one_clip(clip_id: str) -> Response:
        return page.draw("desk.html", clip_id)

    @app.post("/verdict")
    def verdict(answer: VerdictIn) -> Response:
        app.state.answers.take(answer)
        return page.draw("desk.html")


def _add_media(app: FastAPI, ledger: Ledger, media: Media) -> None:
    @app.get("/media/{clip_id}")
    def clip_media(clip_id: str) -> Response:
        path = media(clip_id) if knows_clip(ledger, clip_id) else None
        if path is None:
            raise UnknownClip(f"there is no preview of {clip_id}", remedy=f"`clapboard explain {clip_id}` says why")
        return FileResponse(path, media_type="video/mp4", headers={"Cache-Control": MEDIA_CACHE})


def _add_errors(app: FastAPI) -> None:
    @app.exception_handler(BadInput)
    def bad_input(_: Request, error: Exception) -> Response:
        status = HTTPStatus.NOT_FOUND if isinstance(error, UnknownClip) else HTTPStatus.CONFLICT
        return problem(status, *_told(error))

    @app.exception_handler(RequestValidationError)
    def not_an_answer(_: Request, error: Exception) -> Response:
        return problem(HTTPStatus.UNPROCESSABLE_ENTITY, *_told(error))


def _told(error: Exception) -> tuple[str, str]:
    """What went wrong, and what mends it."""
    if isinstance(error, BadInput):
        return error.message, error.remedy
    first = error.errors()[0]["msg"] if isinstance(error, RequestValidationError) else type(error).__name__
    return f"that is no answer: {first}", "reload the page and answer again"
