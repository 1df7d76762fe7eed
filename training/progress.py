"""How long work says how far it is."""

from collections.abc import Callable

Progress = Callable[[int, int, str], None]
"""Called with how much is done, of how much, and a note."""


def part_of(progress: Progress | None, number: int, parts: int, note: str) -> Progress | None:
    """Progress of one of so many equal parts, as that of all; `note` is said with it."""
    if progress is None:
        return None
    whole = progress
    return lambda done, total, _: whole(number * total + done, parts * total, note)
