"""Which sources a curation run takes: those it was given, else the standing ones, else none."""

from collections.abc import Sequence

from curation.ledger.open import Ledger
from curation.sources.read import is_path, is_there
from curation.sources.standing import standing_sources
from flows.summary import NotRun

NONE = NotRun(
    what="reading sources",
    why="none is named and there are no standing ones; the run goes on with what is known",
    command="clapboard sources add SOURCE",
)


def sources_of_run(ledger: Ledger, given: Sequence[str]) -> tuple[list[str], list[NotRun]]:
    """The sources of a run, and what there is to say about them.

    What was given must be there, but a standing folder that is gone tonight does not keep the others from being read.
    """
    if given:
        return list(given), []
    standing = standing_sources(ledger)
    if not standing:
        return [], [NONE]
    gone = [one for one in standing if is_path(one) and not is_there(one)]
    lacking = [
        NotRun(what=f"standing source {one}", why="there is nothing at that path", command="clapboard sources list")
        for one in gone
    ]
    return [one for one in standing if one not in gone], lacking
