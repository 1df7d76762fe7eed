"""Where a project's data lies: one folder, `CLAPBOARD_HOME` or the XDG data folder by default."""

import os
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from curation.ledger.open import Ledger, open_ledger
from curation.media.embeddings import EmbeddingStore
from shards.errors import BadInput
from shards.snapshot import place

OURS_ALONE = 0o700
"""Rights of a home that is made: it holds other people's videos, and who reviews them."""


def default_home() -> Path:
    """`$CLAPBOARD_HOME`, else `clapboard` in the XDG data folder."""
    if named := os.environ.get("CLAPBOARD_HOME"):
        return Path(named)
    data = os.environ.get("XDG_DATA_HOME")
    return (Path(data) if data else Path.home() / ".local" / "share") / "clapboard"


@dataclass(frozen=True, slots=True)
class Home:
    """The folders of one project; nothing is made until it is needed."""

    root: Path

    @property
    def ledger_url(self) -> str:
        """`$CLAPBOARD_LEDGER`, else the SQLite file in this home."""
        return os.environ.get("CLAPBOARD_LEDGER") or f"sqlite:///{self.root / 'ledger.sqlite'}"

    @property
    def videos(self) -> Path:
        """Downloaded files, named by video id."""
        return self.root / "videos"

    @property
    def cuts(self) -> Path:
        """Cut clips, kept so that nothing is encoded twice."""
        return self.root / "cuts"

    @property
    def shared_cuts(self) -> Path | None:
        """`$CLAPBOARD_CUTS`: where machines with homes of their own keep cuts for each other; None for nowhere."""
        return place(named) if (named := os.environ.get("CLAPBOARD_CUTS")) else None

    @property
    def embeddings(self) -> EmbeddingStore:
        """Embeddings of pictures and sounds, kept so that new words need no model to look again."""
        return EmbeddingStore(self.root / "embeddings")

    @property
    def snapshots(self) -> Path:
        """Published data sets: `$CLAPBOARD_SNAPSHOTS`, a folder or an `s3://` prefix, else a folder in this home."""
        return place(os.environ.get("CLAPBOARD_SNAPSHOTS") or self.root / "snapshots")

    @property
    def training(self) -> Path:
        """Caches, backbones and runs of training."""
        return self.root / "training"

    @property
    def prefect(self) -> Path:
        """The Prefect server's own database; may be deleted at any time."""
        return self.root / "prefect"

    @property
    def report(self) -> Path:
        """The report of the last run."""
        return self.root / "report.html"

    def ledger(self, *, must_exist: bool = False) -> Ledger:
        """Open this home's ledger, making the folder and the schema when they are not there.

        Args:
            must_exist: make neither; whoever only looks at a home means one in which something was done.

        Raises:
            BadInput: it cannot be made or opened, or it must exist and does not.
        """
        if must_exist:
            self.check_there()
        else:
            self.make()
        return open_ledger(self.ledger_url)

    def check_there(self) -> None:
        """See that something was done in this home.

        Raises:
            BadInput: its ledger is a file, and is not there.
        """
        if (file := file_of(self.ledger_url)) and not file.is_file():
            raise BadInput(
                f"there is no home at {self.root}: {file} is missing",
                remedy="clapboard curate SOURCES --home FOLDER makes one; or name another --home",
            )

    def make(self) -> None:
        """Make the home's folder, if it is not there.

        Raises:
            BadInput: it cannot be made or written to.
        """
        try:
            self.root.mkdir(mode=OURS_ALONE, parents=True, exist_ok=True)
        except OSError as error:
            raise BadInput(
                f"the home {self.root} cannot be made: {error.strerror}", remedy="name another --home"
            ) from error
        if not os.access(self.root, os.W_OK):
            raise BadInput(
                f"the home {self.root} cannot be written to", remedy="check its rights, or name another --home"
            )


def file_of(ledger_url: str) -> Path | None:
    """The file that a ledger's URL names; None for a database server, and for what is no URL."""
    try:
        url = make_url(ledger_url)
    except (ArgumentError, ValueError):
        return None
    return Path(url.database) if url.get_backend_name() == "sqlite" and url.database else None
