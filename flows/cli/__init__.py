"""The command line: one file per group of commands, imported only when its command is called."""

import signal
import sys
from typing import NoReturn

from shards.errors import ClapboardError
from shards.files import told

INTERRUPTED, TERMINATED = 130, 143
"""Exit codes after Ctrl-C and after SIGTERM, as a shell names them."""


class Terminated(BaseException):
    """SIGTERM came: what a command opened and started is closed and ended on the way out, as after Ctrl-C."""


def main() -> None:
    """Entry point of `clapboard`; errors end as one sentence with a remedy and a typed exit code."""
    from flows.cli.app import app

    signal.signal(signal.SIGTERM, _terminate)
    try:
        app()
    except ClapboardError as error:
        _complain(error)
    except OSError as error:
        if not (sentence := told(error)):
            raise
        _complain(sentence)
    except Terminated:
        _say_stopped()
        sys.exit(TERMINATED)
    except SystemExit as end:
        if end.code == INTERRUPTED:
            _say_stopped()
        raise


def _complain(error: ClapboardError) -> NoReturn:
    from flows.cli.show import complain

    complain(error)
    sys.exit(error.exit_code)


def _say_stopped() -> None:
    sys.stderr.write("\nstopped; what is done is kept, run the same command again to go on\n")


def _terminate(*_: object) -> None:
    # A second one ends us at once; what we started ends with us then too.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    raise Terminated
