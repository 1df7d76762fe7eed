"""The cage's line to the process that started it: questions and answers of `media/wire.py`, and open connections.

Whatever needs more than the link at hand is asked for: a connection, a turn at a host, a word on a licence.
"""

import socket
from typing import IO, Any

from curation.fetch.egress import EgressRefused
from curation.fetch.failures import FetchFailure
from curation.media.wire import WireError, receive, send
from curation.outcomes import Outcome

MAX_COOKIES_BYTES = 4 << 20
"""A file of cookies holds some kilobytes; a browser's may hold a few hundred [ours]."""


class Line:
    """The inner end. All of a fetch goes on in one thread, so that each question is followed by its answer."""

    def __init__(self, questions: IO[bytes], answers: IO[bytes], sockets: socket.socket) -> None:
        self._questions, self._answers, self._sockets = questions, answers, sockets

    def job(self) -> tuple[dict[str, Any], bytes] | None:
        """What is to be done next, and the cookies for it; None when there is no more."""
        try:
            job, (cookies,) = receive(self._questions, max_bytes=MAX_COOKIES_BYTES)
        except (WireError, ValueError):
            return None
        return job, cookies

    def tell(self, say: str, **facts: Any) -> None:
        """Something that needs no answer."""
        send(self._answers, {"say": say} | facts)

    def ask(self, say: str, **facts: Any) -> dict[str, Any]:
        """The answer to a question.

        Raises:
            FetchFailure: it is no, and the fetch is over.
        """
        self.tell(say, **facts)
        answer, _ = receive(self._questions, max_bytes=0)
        if refused := answer.get("refused"):
            raise FetchFailure(Outcome(refused), answer["detail"])
        return answer

    def dial(self, host: str, port: int, *, timeout_s: float) -> int:
        """The file descriptor of a connection.

        Raises:
            EgressRefused: it may not be made.
            OSError: it cannot be made.
        """
        answer = self.ask("dial", host=host, port=port, timeout_s=timeout_s)
        match answer["made"]:
            case "connection":
                return int(socket.recv_fds(self._sockets, 1, 1)[1][0])
            case "refusal":
                raise EgressRefused(answer["words"])
            case "no name":
                raise socket.gaierror(answer["number"], answer["words"])
            case "late":
                raise TimeoutError(answer["words"])
        raise OSError(answer["number"], answer["words"])
