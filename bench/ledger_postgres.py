"""The ledger's figures on PostgreSQL: the same as `ledger`, on a server that is started for it."""

import argparse

from bench import ledger
from bench.result import Result


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How much."""
    parser.add_argument("--rows", type=int, default=1_000_000, help="windows in the ledger")


def run(options: argparse.Namespace) -> Result:
    """As `bench.ledger.run`, on PostgreSQL."""
    return ledger.run(argparse.Namespace(rows=options.rows, url=None, postgres=True))
