"""What every test shares: no hub, few threads, and the optional corpus of real clips."""

import os
from pathlib import Path

import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("OMP_NUM_THREADS", "2")
os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
os.environ.setdefault("DO_NOT_TRACK", "1")

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The folder of real test clips, named by CLAPBOARD_CORPUS or lying beside the checkout."""
    folder = Path(os.environ.get("CLAPBOARD_CORPUS", ROOT.parent / "shared" / "corpus"))
    if not (folder / "corpus.csv").is_file():
        pytest.skip("no corpus of real clips here; name one with CLAPBOARD_CORPUS")
    return folder
