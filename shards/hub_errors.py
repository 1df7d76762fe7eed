"""What the Hugging Face hub, or the way to it, says when it refuses: as one sentence with what mends it."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum

from shards.errors import ClapboardError, Unavailable

_QUERY = re.compile(r"\?[^\s'\"]+")
_TOKEN = re.compile(r"\bhf_\w+")


class HubFault(StrEnum):
    """Why the hub did not do what was asked."""

    NO_TOKEN = "no_token"
    NOT_SIGNED_IN = "not_signed_in"
    NO_RIGHTS = "no_rights"
    NOT_THERE = "not_there"
    BAD_NAME = "bad_name"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"


_AGAIN = "then run the same command again, what was sent is not sent twice"
REMEDIES = {
    HubFault.NO_TOKEN: "set HF_TOKEN to a token with write rights, or sign in: hf auth login",
    HubFault.NOT_SIGNED_IN: "the hub does not know the token: make one with write rights, then HF_TOKEN or "
    "`hf auth login`; check HF_ENDPOINT",
    HubFault.NO_RIGHTS: "use a token with write rights to that user's or organisation's repositories",
    HubFault.NOT_THERE: "check the name; what the token may not see looks as if it were not there",
    HubFault.BAD_NAME: "name it NAME or OWNER/NAME, of letters, digits, '-', '_' and '.'",
    HubFault.REFUSED: f"see what it says; {_AGAIN}",
    HubFault.UNREACHABLE: "check the network, HF_ENDPOINT and HF_HUB_OFFLINE; HF_HUB_DISABLE_XET=1 is for a hub "
    f"without Xet; {_AGAIN}",
}


class HubError(Unavailable):
    """The hub did not do what was asked, and why."""

    def __init__(self, fault: HubFault, message: str) -> None:
        super().__init__(message, remedy=REMEDIES[fault])
        self.fault = fault


@contextmanager
def asking(what: str) -> Iterator[None]:
    """Tell the client's errors as one of ours.

    Args:
        what: what is asked for, to begin the sentence with: "me/films cannot be written".

    Raises:
        HubError: the hub refused, or was not reached.
    """
    try:
        yield
    except ClapboardError:
        raise
    except Exception as error:  # the client lets its HTTP library's errors through, and that library has changed
        fault, said = _fault(error)
        # Not the error itself behind ours: addresses that files are sent to are signed.
        raise HubError(fault, f"{what}: {said}") from None


def _fault(error: Exception) -> tuple[HubFault, str]:
    from huggingface_hub.errors import HFValidationError, LocalTokenNotFoundError

    for one in _causes(error):
        if isinstance(one, LocalTokenNotFoundError):
            return HubFault.NO_TOKEN, "no token for the hub is known on this machine"
        if isinstance(one, HFValidationError):
            return HubFault.BAD_NAME, _line(one)
        if (status := getattr(getattr(one, "response", None), "status_code", None)) is not None:
            return _of_status(int(status)), f"the hub says {status}, {_said(one)}"
    return HubFault.UNREACHABLE, f"the hub cannot be reached, {_line(error)}"


def _of_status(status: int) -> HubFault:
    known = {401: HubFault.NOT_SIGNED_IN, 403: HubFault.NO_RIGHTS, 404: HubFault.NOT_THERE}
    if status in known:
        return known[status]
    return HubFault.UNREACHABLE if status >= 500 else HubFault.REFUSED


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _said(error: BaseException) -> str:
    """The server's own words where it has some."""
    words = getattr(error, "server_message", None)
    return without_keys(str(words)) if words else _line(error)


def _line(error: BaseException) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()]
    return without_keys(lines[0]) if lines else type(error).__name__


def without_keys(text: str) -> str:
    """Text in which no signed address and no token is repeated, on one line."""
    return " ".join(_TOKEN.sub("hf_***", _QUERY.sub("?***", text)).split())
