"""What yt-dlp and the sites it quotes say, and which outcome that is."""

import errno
import re
import socket
import ssl
from pathlib import Path

import pytest

from curation.fetch.classify import classify
from curation.fetch.egress import EgressRefused
from curation.fetch.ytdlp import plain
from curation.outcomes import Outcome

WORDS = [
    (
        "[youtube] jNQXAC9IVRw: Sign in to confirm you’re not a bot. Use --cookies-from-browser or --cookies",
        "rate_limited",
    ),
    ("[youtube] abc: Video unavailable. This content isn't available, try again later.", "rate_limited"),
    ("[youtube] abc: The current session has been rate-limited by YouTube for up to an hour.", "rate_limited"),
    ("[youtube] abc: Private video. Sign in if you've been granted access to this video", "private"),
    ("[youtube] abc: Sign in to confirm your age. This video may be inappropriate for some users.", "age_restricted"),
    ("[youtube] abc: Video unavailable. The uploader has not made this video available in your country", "geo_blocked"),
    (
        "[youtube] abc: Video unavailable. This video contains content from X, who has blocked it in your country",
        "geo_blocked",
    ),
    (
        "[youtube] abc: Video unavailable. This video contains content from X, who has blocked it on copyright grounds",
        "removed",
    ),
    ("[youtube] abc: Video unavailable. This video has been removed by the uploader", "removed"),
    ("[youtube] abc: This video has been removed for violating YouTube's policy on hate speech.", "removed"),
    ("[youtube] abc: This video is no longer available because the YouTube account has been terminated.", "removed"),
    ("[youtube] abc: Video unavailable", "removed"),
    ("[youtube] abc: Join this channel to get access to members-only content like this video", "forbidden"),
    ("[youtube] abc: This video requires payment to watch", "forbidden"),
    ("[youtube] abc: This live event will begin in 3 hours.", "live"),
    ("[youtube] abc: Premieres in 2 days", "live"),
    (
        "[youtube] abc: Requested format is not available. Use --list-formats for a list of available formats",
        "unsupported_site",
    ),
    ("[generic] a: No video formats found!", "unsupported_site"),
    ("[vimeo] 1: This video is DRM protected", "unsupported_site"),
    ("The extracted extension ('php') is unusual and will be skipped for safety reasons.", "unsupported_site"),
    (
        "[x] 1: Unable to extract video url; please report this issue on https://github.com/yt-dlp/yt-dlp",
        "site_changed",
    ),
    ("[x] 1: Failed to parse JSON", "site_changed"),
    ("[vimeo] 1: The web client only works when logged-in. Use --cookies", "forbidden"),
    ("[x] 1: This video is only available for registered users.", "forbidden"),
    ("[download] File is larger than max-filesize (5 bytes > 1 bytes). Aborting.", "too_large"),
    ("Did not get any data blocks", "empty_file"),
    ("The downloaded file is empty", "empty_file"),
    ("unable to write data: [Errno 28] No space left on device", "disk_full"),
    ("[download] Got error: HTTP Error 503: Service Unavailable. Giving up after 3 retries", "server_error"),
    ("[download] Got error: HTTP Error 429: Too Many Requests", "rate_limited"),
    ("[download] Got error: HTTP Error 404: Not Found. Giving up after 0 retries", "not_found"),
    ("[download] Got error: The read operation timed out", "timed_out"),
    ("[download] Got error: [Errno 111] Connection refused", "unreachable"),
    ("[download] Got error: 100 bytes read, 200 more expected", "unreachable"),
    ("[download] Got error: Downloaded 100 bytes, expected 200 bytes", "unreachable"),
    ("<urlopen error [Errno -2] Name or service not known>", "unreachable"),
    ("[download] Got error: 10.0.0.1 is not a public address", "bad_link"),
    ("<urlopen error unknown url type: ftp>", "bad_link"),
    ("something that nobody has said before", "fetch_failed"),
]


@pytest.mark.parametrize(("words", "outcome"), WORDS)
def test_words_are_understood(words, outcome):
    assert classify(None, words) == outcome


@pytest.mark.parametrize(
    "words",
    [
        "[generic] private: Requested format is not available",
        "[generic] removed-premium-drm: Requested format is not available",
        "[generic] x: No video formats found at http://example.com/private/members-only/removed.mp4",
    ],
)
def test_a_link_or_an_id_says_nothing_about_the_failure(words):
    assert classify(None, words) is Outcome.UNSUPPORTED_SITE


@pytest.mark.parametrize(
    ("cause", "outcome"),
    [
        (EgressRefused("10.0.0.1 is not a public address"), Outcome.BAD_LINK),
        (socket.gaierror(-2, "Name or service not known"), Outcome.UNREACHABLE),
        (ConnectionRefusedError(111, "Connection refused"), Outcome.UNREACHABLE),
        (ConnectionResetError(104, "Connection reset by peer"), Outcome.UNREACHABLE),
        (TimeoutError("timed out"), Outcome.TIMED_OUT),
        (ssl.SSLCertVerificationError("certificate has expired"), Outcome.UNREACHABLE),
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
