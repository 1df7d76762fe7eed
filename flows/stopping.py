"""End a run that is told to end: soon, whatever its threads are at, and as Cancelled where somebody cancelled it.

Prefect tells the process of a run by SIGTERM, and then waits for the threads of its tasks; only after 30 s it kills
what is left. So whoever works in a thread looks whether the run ends, and what looks too seldom (a network that listens
to a long film, say) is not waited for: what is done is in the ledger, and all else is done again.
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import wraps
from typing import TYPE_CHECKING, NoReturn, ParamSpec, TypeVar
from uuid import UUID

if TYPE_CHECKING:
    from prefect.client.schemas.objects import State

P = ParamSpec("P")
T = TypeVar("T")

LAST_S = 6.0
"""How long threads may go on once the run was told to end; with what Prefect takes it makes less than ten [ours]."""

TERMINATED = 143
ANSWER_S = 2
GOODBYE_S = 2.0
"""Long enough for the last lines of a log to leave [ours]."""

MESSAGE = "cancelled; what is done is kept, and the next run goes on where this one stopped"
RUN_ID = "PREFECT__FLOW_RUN_ID"
"""The environment variable by which a worker tells a process which run it is."""

_ours: ContextVar[bool] = ContextVar("process_is_ours", default=False)


@contextmanager
def whole_process() -> Iterator[None]:
    """Say that this process is there for the runs within the block alone, and may be ended with them."""
    token = _ours.set(True)
    try:
        yield
    finally:
        _ours.reset(token)


def stoppable(*, within_s: float | None = LAST_S) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Have a flow's body end when it is told to; a run that was cancelled is Cancelled as soon as it has ended.

    Args:
        within_s: after so many seconds the process is ended, if it is there for the run alone; None leaves the run the
            time that it takes, as for saving a checkpoint.
    """

    def of(body: Callable[P, T]) -> Callable[P, T]:
        @wraps(body)
        def run(*args: P.args, **kwargs: P.kwargs) -> T:
            from prefect.exceptions import Abort, TerminationSignal

            try:
                with _ended_within(within_s):
                    made = body(*args, **kwargs)
            except (TerminationSignal, Abort):
                if _is_cancelled():
                    leave()
                raise
            if _is_cancelled():
                leave()
            return made

        return run

    return of


def leave(message: str = MESSAGE) -> NoReturn:
    """End this run as Cancelled, and the process of a worker soon after: all that follows is its goodbye.

    Prefect's worker would say it for the run, but only after it has loaded the flow anew, to look for hooks.
    """
    from prefect.context import FlowRunContext
    from prefect.exceptions import Abort

    context, abort = FlowRunContext.get(), Abort(message)
    if context and context.flow_run:
        # Prefect's engine takes the state from there, and sets none of its own.
        abort.state = _say_cancelled(context.flow_run.id, message)  # type: ignore[attr-defined]
    goodbye = threading.Timer(GOODBYE_S, os._exit, [0])
    goodbye.daemon = True
    goodbye.start()
    raise abort


def _say_cancelled(run: UUID, message: str = MESSAGE) -> "State | None":
    """Tell the server; where it does not hear it, Prefect's worker tells it later, and there is no state yet."""
    from prefect.client.orchestration import get_client
    from prefect.states import Cancelled

    with suppress(Exception), get_client(sync_client=True) as client:
        state = client.read_flow_run(run).state
        if state is not None and state.is_cancelled():
            return state
        return client.set_flow_run_state(run, Cancelled(message=message), force=True).state
    return None


def _is_cancelled() -> bool:
    """Whether somebody cancelled the run that a worker started this process for."""
    run = os.environ.get(RUN_ID)
    if not run:
        return False
    from prefect.client.orchestration import get_client

    with suppress(Exception), get_client(sync_client=True) as client:
        state = client.read_flow_run(UUID(run)).state
        return state is not None and (state.is_cancelling() or state.is_cancelled())
    return False


@contextmanager
def _ended_within(within_s: float | None) -> Iterator[None]:
    """Have the process end so long after a signal that came within the block, and no sooner than it has to."""
    alone = RUN_ID in os.environ or _ours.get()
    if within_s is None or not alone or threading.current_thread() is not threading.main_thread():
        yield
        return
    told, tells = os.pipe()
    os.set_blocking(tells, False)
    # Not a handler of our own: Prefect acknowledges a cancellation only where its own is in place, and this is told
    # even while the main thread is in the middle of something that no handler interrupts.
    before = signal.set_wakeup_fd(tells, warn_on_full_buffer=False)
    threading.Thread(target=_end_after, args=(told, within_s), name="deadline", daemon=True).start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(before, warn_on_full_buffer=False)
        os.close(tells)


def _end_after(told: int, within_s: float) -> None:
    """Wait for the byte of a signal, and then end the process unless it ends by itself."""
    try:
        while number := os.read(told, 1):
            if number[0] in (signal.SIGTERM, signal.SIGINT):
                time.sleep(within_s)
                _end_now()
    finally:
        os.close(told)


def _end_now() -> None:
    """End this process; whatever it started ends with it."""
    from prefect.settings import PREFECT_API_REQUEST_TIMEOUT, PREFECT_CLIENT_MAX_RETRIES, temporary_settings

    with temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 0, PREFECT_API_REQUEST_TIMEOUT: ANSWER_S}):
        if _is_cancelled():
            _say_cancelled(UUID(os.environ[RUN_ID]))
    sys.stderr.write("\nstopped in the middle; what is done is kept, run the same command again to go on\n")
    sys.stderr.flush()
    os._exit(TERMINATED)
