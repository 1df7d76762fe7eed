"""Which ffmpeg is run: the bundled one whatever PATH holds, or the one that the setting names."""

import pytest

from shards.errors import Unavailable
from shards.ffmpeg import ffmpeg_binary


@pytest.fixture
def other(tmp_path, monkeypatch):
    """Another program of that name, which PATH finds first."""
    program = tmp_path / "ffmpeg"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CLAPBOARD_FFMPEG", raising=False)
    return program


def test_what_is_on_path_is_not_asked(other):
    assert ffmpeg_binary() != other and "imageio_ffmpeg" in ffmpeg_binary().parts


@pytest.mark.parametrize("name", ["ffmpeg", "{other}"])
def test_a_setting_names_another_by_path_or_name(other, monkeypatch, name):
    monkeypatch.setenv("CLAPBOARD_FFMPEG", name.format(other=other))
    assert ffmpeg_binary() == other


def test_a_setting_that_names_none_is_told(other, monkeypatch):
    monkeypatch.setenv("CLAPBOARD_FFMPEG", "/nowhere/ffmpeg")
    with pytest.raises(Unavailable, match="CLAPBOARD_FFMPEG"):
        ffmpeg_binary()
