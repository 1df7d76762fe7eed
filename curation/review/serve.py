"""Run the review page: on this machine by a one-time link, or for a team by accounts or a trusted proxy."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from curation.home.folder import Home
from curation.ledger.open import Ledger
from curation.media.sandbox import MediaWorkers
from curation.review.access import Access, Accounts, OneTimeLink, TrustedProxy, account_names
from curation.review.app import NEXT_COMMANDS, create_app
from curation.review.hosts import LOOPBACK_NAMES, host_of, names_of_this_machine
from curation.review.listening import Place, announced, check_socket, entry_path, listen, loaded, new_token, run
from curation.review.media import CutMedia
from curation.review.progress import Progress
from curation.review.queue import enrol
from curation.settings.recipe import Recipe
from shards.errors import BadInput

MEDIA_WORKERS = 2
IN_THE_OPEN = (
    "warning: passwords, sessions and clips cross the network unencrypted; give --tls-certificate and --tls-key, "
    "or put a proxy that speaks https in front"
)


def serve(
    home: Home,
    *,
    reviewer: str,
    recipe: Recipe,
    announce: Callable[[str], None],
    warn: Callable[[str], None] = lambda _: None,
    place: Place | None = None,
    next_commands: Sequence[str] = NEXT_COMMANDS,
    on_enough: Callable[[Progress], object] = lambda _: None,
) -> None:
    """Serve the review page until the process is told to stop.

    Args:
        home: where the ledger and the videos are.
        reviewer: in whose name answers are written, where people come in by the one-time link.
        recipe: how clips are cut (previews are what is published) and how the queue is mixed.
        announce: called with the link as soon as it can be opened.
        warn: called with what whoever runs it should know before.
        place: where to serve.
        next_commands: what the page says to run when the queue is done.
        on_enough: called in the background, with the first state of the queue and when it changes whether enough is
            known to stop.

    Raises:
        BadInput: the port or the socket is taken, the certificate or its key cannot be used, a proxy has no secret, or
            others could reach the page and nobody would be asked who they are.
    """
    where = place or Place()
    check_socket(where)
    with home.ledger() as ledger:
        access, link_path = _way_in(where, ledger, reviewer)
        with (
            listen(where) as listener,
            MediaWorkers(count=MEDIA_WORKERS, settings=recipe.sandbox, analysis=recipe.analysis) as workers,
            ThreadPoolExecutor(1, thread_name_prefix="enough") as behind,
        ):
            enrol(ledger, recipe.review)
            app = create_app(
                ledger,
                media=CutMedia(ledger, home=home, settings=recipe.cut, workers=workers),
                access=access,
                settings=recipe.review,
                hosts=_names(where, recipe, access),
                addresses=not isinstance(access, OneTimeLink),
                next_commands=next_commands,
                on_enough=lambda queue: behind.submit(on_enough, queue).add_done_callback(Future.result),
            )
            config = loaded(app, where)
            if where.in_the_open and isinstance(access, Accounts):
                warn(IN_THE_OPEN)
            announce(announced(where, listener, link_path))
            run(config, listener)


def _names(where: Place, recipe: Recipe, access: Access) -> tuple[str, ...]:
    """Who comes by the one-time link sits at this machine."""
    for name in where.names:
        if host_of(name) is None:
            raise BadInput(f"{name!r} is no host name", remedy="--name reviews.example.org, without http:// and port")
    if isinstance(access, OneTimeLink):
        return (*LOOPBACK_NAMES, *where.names)
    return names_of_this_machine(recipe.review.page, (where.host, *where.names))


def _way_in(where: Place, ledger: Ledger, reviewer: str) -> tuple[Access, str]:
    if where.proxy_header:
        by_socket = where.socket is not None
        return TrustedProxy(where.proxy_header, where.proxies, secret=where.proxy_secret, by_socket=by_socket), "/"
    if account_names(ledger):
        return Accounts(ledger), "/"
    if where.public:
        raise BadInput(
            f"the review page is not served on {where.socket or where.host} as it is: "
            "nobody would be asked who they are",
            remedy="add accounts (clapboard review account add NAME), name a proxy that signs people in "
            "(--proxy-header with --socket, or with --proxy and --proxy-secret), "
            "or keep to this machine and use an SSH tunnel (ssh -L 8420:127.0.0.1:8420)",
        )
    token = new_token()
    return OneTimeLink(token, reviewer), entry_path(token)
