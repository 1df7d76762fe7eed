"""The page on which people vote. Films are found by ids that say nothing, and no answer tells what others are.

The door, the headers and the refusals are the review page's.
"""

import secrets
from collections.abc import Sequence
from hashlib import blake2b
from importlib.metadata import version as installed_version
from typing import Annotated
from uuid import UUID

from fastapi import FastAPI, Path, Request
from fastapi.staticfiles import StaticFiles
from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined, Template
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import FileResponse, HTMLResponse, Response

from curation.review.access import Access
from curation.review.api import PROBLEMS, Reviewer
from curation.review.app import add_entry, add_errors
from curation.review.hosts import LOOPBACK_NAMES
from curation.review.security import protect
from curation.verdicts.answers import UnknownClip
from flows.evaluation.voting.pairs import Trial
from flows.evaluation.voting.study import Study
from flows.evaluation.voting.votes import Choice, Vote
from shards.errors import BadInput

LONGEST_S = 3600.0
MEDIA_CACHE = "private, max-age=3600"
SOME_DAY = "Thu, 01 Jan 1970 00:00:00 GMT"
"""When every film says that it was changed: those of one maker were made together."""


class Strict(BaseModel):
    """What a browser sends and gets."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class PairOut(Strict):
    """A question: its number from 0, and where both films lie."""

    number: int
    left: str
    right: str


class StateOut(Strict):
    """How far the voter is, this pair and the next one."""

    done: int
    total: int
    pair: PairOut | None
    following: PairOut | None


class VoteIn(Strict):
    """An answer; `key` makes it count once however often it is sent."""

    key: UUID
    number: int = Field(ge=0)
    choice: Choice
    seconds: float = Field(ge=0, le=LONGEST_S)


class UndoIn(Strict):
    """Take the answer to a question back."""

    key: UUID
    number: int = Field(ge=0)


class Desk:
    """What each voter is asked, and under which ids its films are served."""

    def __init__(self, study: Study) -> None:
        self._study = study
        # Other ids after a restart; nobody can tell from one what another means.
        self._secret = secrets.token_bytes(32)
        self._trials: dict[str, tuple[Trial, ...]] = {}

    def trials(self, voter: str) -> tuple[Trial, ...]:
        """All questions of a voter."""
        if voter not in self._trials:
            self._trials[voter] = self._study.plan.trials(voter)
        return self._trials[voter]

    def state(self, voter: str) -> StateOut:
        """How far a voter is."""
        trials = self.trials(voter)
        answered = {one.number for one in self._study.votes.standing() if one.voter == voter}
        waiting = [number for number in range(len(trials)) if number not in answered]
        shown = [self._pair(voter, number) for number in waiting[:2]]
        return StateOut(
            done=len(trials) - len(waiting),
            total=len(trials),
            pair=shown[0] if shown else None,
            following=shown[1] if len(shown) > 1 else None,
        )

    def vote(self, voter: str, given: VoteIn) -> None:
        """Write an answer down.

        Raises:
            BadInput: there is no such question, or it has another answer.
        """
        if given.number >= len(self.trials(voter)):
            raise BadInput("there is no such pair", remedy="reload the page")
        trial = self.trials(voter)[given.number]
        self._study.votes.add(Vote(str(given.key), voter, given.number, trial, given.choice, given.seconds))

    def take_back(self, voter: str, given: UndoIn) -> None:
        """Take an answer back."""
        self._study.votes.take_back(str(given.key), voter=voter, number=given.number)

    def response(self, voter: str, film_id: str) -> Response:
        """A film.

        Raises:
            UnknownClip: none of the voter's has this id.
        """
        for number, trial in enumerate(self.trials(voter)):
            for side, maker in (("left", trial.left), ("right", trial.right)):
                if secrets.compare_digest(self._id(voter, number, side), film_id):
                    # What a file's own date and length would make of these tells whose films were made together.
                    headers = {"Cache-Control": MEDIA_CACHE, "ETag": f'"{film_id}"', "Last-Modified": SOME_DAY}
                    return FileResponse(self._study.film(maker, trial.clip), media_type="video/mp4", headers=headers)
        raise UnknownClip("there is no such film", remedy="reload the page")

    def _pair(self, voter: str, number: int) -> PairOut:
        left, right = (f"/media/{self._id(voter, number, side)}" for side in ("left", "right"))
        return PairOut(number=number, left=left, right=right)

    def _id(self, voter: str, number: int, side: str) -> str:
        return blake2b(f"{number}/{side}/{voter}".encode(), key=self._secret, digest_size=16).hexdigest()


def create_app(study: Study, *, access: Access, hosts: Sequence[str] = LOOPBACK_NAMES) -> FastAPI:
    """The application.

    Args:
        study: what is asked, and where votes go.
        access: who may come in; their names are the voters'.
        hosts: names that browsers may ask for.
    """
    app = FastAPI(title="Clapboard vote", version=installed_version("clapboard"), docs_url=None, redoc_url=None)
    static = StaticFiles(packages=[("curation.review", "static"), ("flows.evaluation.voting", "static")])
    app.mount("/static", static, name="static")
    add_errors(app)
    add_entry(app, access)
    _add_routes(app, Desk(study))
    protect(app, access, hosts=hosts)
    return app


def _add_routes(app: FastAPI, desk: Desk) -> None:
    page = _page()

    @app.get("/", include_in_schema=False)
    def vote_page(request: Request) -> Response:
        session = request.state.session
        return HTMLResponse(page.render(reviewer=session.reviewer, form_token=session.form_token, version=app.version))

    @app.get("/media/{film_id}", responses=PROBLEMS, response_class=FileResponse)
    def film(film_id: Annotated[str, Path(pattern="^[0-9a-f]{32}$")], voter: Reviewer) -> Response:
        return desk.response(voter, film_id)

    @app.get("/api/state", responses=PROBLEMS)
    def state(voter: Reviewer) -> StateOut:
        return desk.state(voter)

    @app.post("/api/votes", responses=PROBLEMS)
    def vote(given: VoteIn, voter: Reviewer) -> StateOut:
        desk.vote(voter, given)
        return desk.state(voter)

    @app.post("/api/undo", responses=PROBLEMS)
    def undo(given: UndoIn, voter: Reviewer) -> StateOut:
        desk.take_back(voter, given)
        return desk.state(voter)


def _page() -> Template:
    made = Environment(
        loader=ChoiceLoader([PackageLoader("flows.evaluation.voting"), PackageLoader("curation.review")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return made.get_template("vote.html")
