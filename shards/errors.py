"""The one exception tree. Every error says what happened, and `remedy` says what mends it.

ClapboardError
|-- BadInput          a file, row, setting or name that cannot be used
|-- Unavailable       something this machine lacks: weights, a package, a device
|-- SnapshotError     a snapshot that is missing, broken or not what was asked for
`-- TrainingError     a run that must not go on (NaN loss, foreign cache, wrong snapshot)
"""


class ClapboardError(Exception):
    """Base of all errors that a user may see; `str()` gives the message followed by the remedy."""

    exit_code = 1

    def __init__(self, message: str, *, remedy: str) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message} ({self.remedy})"


class BadInput(ClapboardError):
    """Something the caller gave cannot be used."""

    exit_code = 2


class Unavailable(ClapboardError):
    """This machine lacks something that was asked for."""

    exit_code = 3


class SnapshotError(ClapboardError):
    """A snapshot is missing, broken or of another kind."""

    exit_code = 4


class TrainingError(ClapboardError):
    """A training run must not start or must not go on."""

    exit_code = 5
