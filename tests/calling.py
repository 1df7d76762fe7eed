"""`clapboard` as it is called, errors and exit codes and all, in the process of the test; a helper of the tests.

A process of its own costs seconds of imports, and proves no more where nothing is killed and nothing is left running.
"""

import signal
import sys
from unittest.mock import patch

import pytest

from flows.cli import main


def call(capfd: pytest.CaptureFixture[str], *arguments: str) -> tuple[object, str, str]:
    """Call it; returns its exit code, and what it wrote to its output and to its error output."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        with patch.object(sys, "argv", ["clapboard", *arguments]), pytest.raises(SystemExit) as end:
            main()
    finally:
        signal.signal(signal.SIGTERM, before)
    return end.value.code, *capfd.readouterr()
