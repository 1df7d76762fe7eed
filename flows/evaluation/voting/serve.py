"""Run the page for one voter on this machine, who comes in by a one-time link."""

from collections.abc import Callable

from curation.review.access import LONGEST_NAME, OneTimeLink, is_reviewer_name
from curation.review.listening import Place, announced, entry_path, listen, loaded, new_token, run
from flows.evaluation.voting.app import create_app
from flows.evaluation.voting.pairs import Kind
from flows.evaluation.voting.study import Study
from shards.errors import BadInput


def serve(study: Study, *, voter: str, place: Place, announce: Callable[[str], None]) -> tuple[int, int]:
    """Serve until the process is told to stop; returns how many pairs are answered, of how many.

    The films of the attention checks are made first: nobody shall tell a check by how long it takes to appear.

    Raises:
        BadInput: the port is taken, others could reach the page, or nobody can have that name.
    """
    if not is_reviewer_name(voter):
        raise BadInput("that cannot be a voter's name", remedy=f"1 to {LONGEST_NAME} printable letters")
    if place.public:
        raise BadInput(
            f"the page is not served on {place.host}: nobody would be asked who they are",
            remedy="keep to this machine and use an SSH tunnel (ssh -L 8430:127.0.0.1:8430)",
        )
    trials = study.plan.trials(voter)
    for trial in trials:
        if trial.kind is Kind.CHECK:
            study.film(trial.left, trial.clip)
    token = new_token()
    with listen(place) as listener:
        config = loaded(create_app(study, access=OneTimeLink(token, voter)), place)
        announce(announced(place, listener, entry_path(token)))
        run(config, listener)
    return len([one for one in study.votes.standing() if one.voter == voter]), len(trials)
