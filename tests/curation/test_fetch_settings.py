"""Settings of fetching: what they refuse, and what they ask yt-dlp for."""

import subprocess
import sys

import pytest
from pydantic import ValidationError

from curation.fetch.settings import FetchSettings


def test_every_setting_is_described_and_unknown_ones_are_refused():
    assert all(field.description for field in FetchSettings.model_fields.values())
    with pytest.raises(ValidationError, match="timeout"):
        FetchSettings(timeout=3)


@pytest.mark.parametrize("wrong", [{"timeout_s": 0}, {"retries": -1}, {"max_bytes": 0}, {"max_height": 1}])
def test_values_out_of_bounds_are_refused(wrong):
    with pytest.raises(ValidationError):
        FetchSettings(**wrong)


def test_the_height_limits_the_format_unless_one_is_named():
    assert FetchSettings(max_height=360).selection() == "bv*[height<=360]+ba/b[height<=360]/bv*+ba/b"
    assert FetchSettings(max_height=360, format="worst").selection() == "worst"


def test_yt_dlp_is_not_loaded_before_it_is_needed():
    code = "import sys, curation.fetch.download, curation.sources.read; print({'yt_dlp', 'av'} & set(sys.modules))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert ran.stdout.strip() == "set()"
