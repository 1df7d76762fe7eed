"""What yt-dlp and the sites it quotes say, and which outcome that is."""

import errno
import io
import re
import socket
import ssl
from datetime import UTC, datetime
from pathlib import Path

import pytest
from yt_dlp.networking.common import Response
from yt_dlp.networking.exceptions import HTTPError
from yt_dlp.utils import ExtractorError

from curation.fetch.classify import classify, retry_after_s
from curation.fetch.egress import EgressRefused
from curation.fetch.ytdlp import plain
from curation.outcomes import Outcome

MESSAGES = [line.split("\t") for line in Path(__file__).with_name("messages.tsv").read_text("utf-8").splitlines()]
"""What yt-dlp prints: the outcome, the words, and where they were found (its source, or somebody's report)."""


@pytest.mark.parametrize(("outcome", "words"), [row[:2] for row in MESSAGES])
def test_words_are_understood(outcome, words):
    assert classify(None, plain(words)) == outcome


def test_the_collection_is_wide_and_every_outcome_has_its_remedy():
    outcomes = {Outcome(outcome) for outcome, _, _ in MESSAGES}
    assert len({words for _, words, _ in MESSAGES}) == len(MESSAGES) >= 240
    assert len(outcomes) >= 30
    assert Outcome.FETCH_FAILED not in outcomes
    assert all(outcome.remedy for outcome in outcomes)


def test_what_nobody_has_said_before_keeps_the_downloaders_words():
    assert classify(None, "something else altogether") is Outcome.FETCH_FAILED


@pytest.mark.parametrize(("told", "seconds"), [("120", 120.0), ("Mon, 23 Nov 2026 12:00:30 GMT", 30.0), ("soon", None)])
def test_a_server_says_how_long_it_wants_to_be_left_alone(told, seconds):
    now_s = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC).timestamp()
    answer = Response(io.BytesIO(), "http://example.com", {"Retry-After": told}, status=429)
    assert retry_after_s(ExtractorError("x", cause=HTTPError(answer)), now_s=now_s) == seconds


@pytest.mark.parametrize(
    "words",
    [
        "[generic] private: Requested format is not available",
        "[generic] removed-premium-drm: Requested format is not available",
        "[generic] x: No video formats found at http://example.com/private/members-only/removed.mp4",
    ],
)
def test_a_link_or_an_id_says_nothing_about_the_failure(words):
    assert classify(None, words) is Outcome.NO_FORMAT


@pytest.mark.parametrize(
    ("cause", "outcome"),
    [
        (EgressRefused("10.0.0.1 is not a public address"), Outcome.BLOCKED_ADDRESS),
        (socket.gaierror(-2, "Name or service not known"), Outcome.DNS_FAILED),
        (ConnectionRefusedError(111, "Connection refused"), Outcome.UNREACHABLE),
        (ConnectionResetError(104, "Connection reset by peer"), Outcome.UNREACHABLE),
        (TimeoutError("timed out"), Outcome.TIMED_OUT),
        (ssl.SSLCertVerificationError("certificate has expired"), Outcome.TLS_FAILED),
        (OSError(errno.ENOSPC, "No space left on device"), Outcome.DISK_FULL),
    ],
)
def test_the_cause_counts_more_than_the_words(cause, outcome):
    from yt_dlp.networking.exceptions import TransportError
    from yt_dlp.utils import DownloadError, ExtractorError

    inner = ExtractorError("Unable to download webpage", cause=TransportError(cause=cause))
    assert classify(DownloadError("a private video", (type(inner), inner, None)), "a private video") is outcome


def test_types_of_ytdlp_are_understood():
    from yt_dlp.utils import GeoRestrictedError, UnsupportedError, UserNotLive

    assert classify(GeoRestrictedError("not here"), "") is Outcome.GEO_BLOCKED
    assert classify(UnsupportedError("http://example.com"), "") is Outcome.UNSUPPORTED_SITE
    assert classify(UserNotLive(), "") is Outcome.LIVE


def test_what_an_extractor_did_not_foresee_means_that_the_site_has_changed():
    assert classify(ExtractorError("something else altogether"), "something else altogether") is Outcome.SITE_CHANGED
    assert classify(ExtractorError("a song id is not found"), "a song id is not found") is Outcome.SITE_CHANGED
    foreseen = ExtractorError("something else altogether", expected=True)
    assert classify(foreseen, "something else altogether") is Outcome.FETCH_FAILED


def test_words_that_come_from_ytdlp_itself_are_in_this_version_of_it():
    import yt_dlp

    folder = Path(yt_dlp.__file__).parent
    files = ("YoutubeDL.py", "downloader/http.py", "downloader/common.py", "extractor/common.py", "extractor/vimeo.py")
    source = "".join((folder / file).read_text() for file in files)
    for words in (
        "File is larger than max-filesize",
        "Did not get any data blocks",
        "unable to write data",
        "No video formats found",
        "is unusual ",
        "Requested format is not available",
        "DRM protected",
        "Unable to extract",
        "This video is only available for registered users",
    ):
        assert re.search(re.escape(words), source), words


def test_ytdlps_words_are_shown_without_colours_and_advice():
    said = "\x1b[0;31mERROR:\x1b[0m [x] 1: Unable to extract y; please report this issue on https://z . Confirm"
    assert plain(said) == "[x] 1: Unable to extract y"
