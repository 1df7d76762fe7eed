"""Types of flows' parameters. Whoever may open Prefect's pages sees parameters, so those hold no secrets."""

from typing import Annotated

from pydantic import PlainSerializer

from flows.secrets import redacted


def _redacted(sources: list[str]) -> list[str]:
    return [redacted(one) for one in sources]


Sources = Annotated[list[str], PlainSerializer(_redacted, when_used="json")]
"""Source lists as they were given; written down, links hold no passwords and no keys."""
