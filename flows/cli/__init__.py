"""The command line: one file per group of commands, imported only when its command is called."""

import sys

from shards.errors import ClapboardError


def main() -> None:
    """Entry point of `clapboard`; errors end as one sentence with a remedy and a typed exit code."""
    from flows.cli.app import app

    try:
        app()
    except ClapboardError as error:
        from flows.cli.show import complain

        complain(error)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.stderr.write("\nstopped; what is done is kept, run the same command again to go on\n")
        sys.exit(130)
