"""The review application: pages for people, JSON below /api, clips below /media.

Media is found by a clip's id alone: no path ever comes from a browser.
"""

from collections.abc import Callable, Sequence
from http import HTTPStatus
from importlib.metadata import version as installed_version
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.staticfiles import StaticFiles
from jinja2 import Environment, PackageLoader, StrictUndefined
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, HTMLResponse, RedirectResponse, Response

from curation.ledger.open import Ledger
from curation.review import words
from curation.review.access import Access, Accounts, OneTimeLink, TooManyTries, cookie_name
from curation.review.api import PROBLEMS, Reviewer, make_api
from curation.review.hosts import LOOPBACK_NAMES
from curation.review.media import REACH_US, Media
from curation.review.messages import ClipId
from curation.review.numbers import numbers
from curation.review.plots import daily_svg, share_svg
from curation.review.progress import Progress
from curation.review.security import ENTER_PATH, SIGN_IN_PATH, let_in, locked, problem, protect
from curation.settings.review import ReviewSettings
from curation.verdicts.answers import NotYours, UnknownClip
from shards.errors import BadInput

MEDIA_ANSWERS: dict[int | str, dict[str, Any]] = PROBLEMS | {
    status: {"description": words, "content": {"video/mp4": {}}} for status, words in ((200, "all"), (206, "a range"))
}
NEXT_COMMANDS = ("clapboard publish", "clapboard calibrate")
MEDIA_CACHE = "private, max-age=600"


class SignInIn(BaseModel):
    """A name and a password."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(max_length=200)
    password: str = Field(max_length=1000)


def create_app(
    ledger: Ledger,
    *,
    media: Media,
    access: Access,
    settings: ReviewSettings | None = None,
    hosts: Sequence[str] = LOOPBACK_NAMES,
    addresses: bool = False,
    next_commands: Sequence[str] = NEXT_COMMANDS,
    on_enough: Callable[[Progress], object] = lambda _: None,
) -> FastAPI:
    """The review application.

    Args:
        ledger: where the queue and the answers are.
        media: where previews and curves come from.
        access: who may come in.
        settings: how the queue is mixed, and when it is enough.
        hosts: names that browsers may ask for.
        addresses: whether they may ask for any address as well.
        next_commands: what to run when the queue is empty.
        on_enough: called with the first state of the queue, and when it changes whether enough is known to stop; a
            reviewer waits for it.
    """
    # The schema is served like everything else, to those who are let in: teams write clients against it.
    app = FastAPI(title="Clapboard review", version=installed_version("clapboard"), docs_url=None, redoc_url=None)
    chosen = settings or ReviewSettings()
    app.mount("/static", StaticFiles(packages=[("curation.review", "static")]), name="static")
    add_errors(app)
    add_entry(app, access)
    _add_sign_in(app, access)
    _add_pages(app, ledger, access, chosen, next_commands)
    _add_media(app, media)
    app.include_router(make_api(ledger, media=media, settings=chosen, on_enough=on_enough))
    protect(app, access, hosts=hosts, addresses=addresses)
    return app


def _templates() -> Environment:
    made = Environment(
        loader=PackageLoader("curation.review"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals |= {
        "say": words,
        "reasons": words.REASONS,
        "daily_svg": daily_svg,
        "share_svg": share_svg,
        "queue_rows": lambda queue: [(one.label or "no class", one.accepted, one.target) for one in queue.classes],
        "reason_rows": lambda reasons: [(words.REASONS[reason], count, 0) for reason, count in reasons],
    }
    return made


def add_entry(app: FastAPI, access: Access) -> None:
    """The path of the one-time link."""

    @app.get(ENTER_PATH, include_in_schema=False)
    def enter(request: Request, token: str = "") -> Response:
        secret = access.enter(token) if isinstance(access, OneTimeLink) else None
        if secret is None and access.session(request) is None:
            return locked()
        response = RedirectResponse("/", HTTPStatus.SEE_OTHER)
        if secret:
            let_in(response, request, secret)
        return response


def _add_sign_in(app: FastAPI, access: Access) -> None:
    templates = _templates()
    if isinstance(access, Accounts):
        accounts = access

        @app.get(SIGN_IN_PATH, include_in_schema=False)
        def sign_in_page() -> Response:
            return HTMLResponse(templates.get_template("sign_in.html").render())

        @app.post(SIGN_IN_PATH, include_in_schema=False)
        def sign_in(request: Request, given: SignInIn) -> Response:
            client = request.client.host if request.client else ""
            secret = accounts.sign_in(given.name, given.password, client=client)
            if secret is None:
                return problem(HTTPStatus.UNAUTHORIZED, "name and password do not fit", "try again")
            response = Response(status_code=HTTPStatus.NO_CONTENT)
            let_in(response, request, secret)
            return response

        @app.post("/sign-out", include_in_schema=False)
        def sign_out(request: Request) -> Response:
            accounts.sessions.close(request.cookies.get(cookie_name(request), ""))
            response = Response(status_code=HTTPStatus.NO_CONTENT)
            response.delete_cookie(cookie_name(request), path="/")
            return response


def _add_pages(
    app: FastAPI, ledger: Ledger, access: Access, settings: ReviewSettings, next_commands: Sequence[str]
) -> None:
    templates = _templates()

    def draw(name: str, request: Request, **more: object) -> HTMLResponse:
        session = request.state.session
        shared = {"reviewer": session.reviewer, "form_token": session.form_token}
        return HTMLResponse(templates.get_template(name).render(**shared, **more))

    @app.get("/", include_in_schema=False)
    def review_page(request: Request) -> Response:
        signs_out = isinstance(access, Accounts)
        return draw("review.html", request, next_commands=next_commands, version=app.version, signs_out=signs_out)

    @app.get("/numbers", include_in_schema=False)
    def numbers_page(request: Request) -> Response:
        return draw("numbers.html", request, numbers=numbers(ledger, settings))


def _add_media(app: FastAPI, media: Media) -> None:
    @app.get("/media/{clip_id}", response_class=FileResponse, responses=MEDIA_ANSWERS)
    def clip_media(
        clip_id: ClipId, _: Reviewer, late_us: Annotated[int | None, Query(ge=-REACH_US, le=REACH_US)] = None
    ) -> Response:
        path = media.preview(clip_id, sound_late_us=late_us)
        if path is None:
            raise UnknownClip(f"there is no preview of {clip_id}", remedy=f"`clapboard explain {clip_id}` says why")
        return FileResponse(path, media_type="video/mp4", headers={"Cache-Control": MEDIA_CACHE})


def add_errors(app: FastAPI) -> None:
    """Let every refusal speak as `problem` does."""

    @app.exception_handler(BadInput)
    def bad_input(_: Request, error: Exception) -> Response:
        if isinstance(error, TooManyTries):
            refused = problem(HTTPStatus.TOO_MANY_REQUESTS, *_told(error))
            refused.headers["Retry-After"] = str(error.wait_s)
            return refused
        status = HTTPStatus.NOT_FOUND if isinstance(error, UnknownClip) else HTTPStatus.CONFLICT
        return problem(status, *_told(error), kind=error.kind if isinstance(error, NotYours) else "")

    @app.exception_handler(HTTPException)
    def no_such_thing(_: Request, error: Exception) -> Response:
        # What the framework itself refuses (no such path, a body that is no JSON) speaks like everything else here.
        status, what = (error.status_code, error.detail) if isinstance(error, HTTPException) else (500, str(error))
        return problem(HTTPStatus(status), what, "go back to the page")

    @app.exception_handler(RequestValidationError)
    def not_an_answer(_: Request, error: Exception) -> Response:
        return problem(HTTPStatus.UNPROCESSABLE_ENTITY, *_told(error))


def _told(error: Exception) -> tuple[str, str]:
    """What went wrong, and what mends it."""
    if isinstance(error, BadInput):
        return error.message, error.remedy
    first = error.errors()[0]["msg"] if isinstance(error, RequestValidationError) else type(error).__name__
    return f"that is no answer: {first}", "reload the page and answer again"
