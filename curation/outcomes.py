"""Every way an item can leave the journey, each with the line that mends it.

One enum for all stages, so the ledger, the funnel and the report speak the same words. An item that goes on has no
outcome but `OK`; nothing ends as "unknown" or as a bare traceback.
"""

from enum import StrEnum


class Outcome(StrEnum):
    """Why an item stopped where it did; `OK` when it went on."""

    OK = "ok"

    # rows of a source list
    DUPLICATE_ROW = "duplicate_row"
    MISSING_COLUMN = "missing_column"
    BAD_ENCODING = "bad_encoding"
    BAD_LINE = "bad_line"
    BAD_SPAN = "bad_span"
    BAD_LINK = "bad_link"
    FILE_MISSING = "file_missing"
    LINK_OUTSIDE = "link_outside_folder"
    EXCLUDED = "excluded"
    HOST_NOT_ALLOWED = "host_not_allowed"
    LICENCE_NOT_ALLOWED = "licence_not_allowed"

    # fetching
    NOT_FOUND = "not_found"
    UNREACHABLE = "unreachable"
    FORBIDDEN = "forbidden"
    TIMED_OUT = "timed_out"
    TOO_LARGE = "too_large"
    TOO_LONG = "too_long"
    RATE_LIMITED = "rate_limited"
    BOT_WALL = "bot_wall"
    PRIVATE = "private"
    REMOVED = "removed"
    TERMINATED = "account_terminated"
    COPYRIGHT = "copyright_claim"
    GEO_BLOCKED = "geo_blocked"
    AGE_RESTRICTED = "age_restricted"
    MEMBERS_ONLY = "members_only"
    PAID = "paid"
    PASSWORD = "password"
    LOGIN_REQUIRED = "login_required"
    LIVE = "live"
    UPCOMING = "upcoming"
    DRM = "drm"
    NO_FORMAT = "no_usable_format"
    UNSUPPORTED_SITE = "unsupported_site"
    SITE_CHANGED = "site_changed"
    DNS_FAILED = "host_unknown"
    TLS_FAILED = "tls_failed"
    BLOCKED_ADDRESS = "address_not_public"
    MERGE_FAILED = "merge_failed"
    SERVER_ERROR = "server_error"
    DISK_FULL = "disk_full"
    FETCH_FAILED = "fetch_failed"
    TAKEN_DOWN = "taken_down"

    # media
    EMPTY_FILE = "empty_file"
    NOT_A_VIDEO = "not_a_video"
    TRUNCATED = "truncated"
    NO_VIDEO = "no_video_track"
    NO_AUDIO = "no_audio_track"
    UNKNOWN_CODEC = "codec_not_allowed"
    TOO_SHORT = "too_short"
    SPAN_OUTSIDE = "span_outside_video"
    DECODE_FAILED = "decode_failed"
    BROKEN_CLOCK = "broken_clock"
    DECODE_TIMED_OUT = "decode_timed_out"
    DECODER_CRASHED = "decoder_crashed"
    TOO_MUCH_MEMORY = "too_much_memory"

    # decisions on windows
    SHOT_CHANGE = "shot_change"
    SILENT = "silent"
    SOUND_MISSING = "sound_missing"
    STATIC_PICTURE = "static_picture"
    PICTURE_MISSING = "picture_missing"
    TOO_MUCH_MOTION = "too_much_motion"
    OFFSET = "sound_offset"
    UNSYNCHRONISED = "unsynchronised"
    WEAK_SYNC = "weak_synchrony"
    NO_CUES = "no_cues"
    MISMATCH = "meaning_mismatch"
    WEAK_MEANING = "weak_meaning"
    OFFSET_CORRECTED = "offset_corrected"
    CLASS_FULL = "class_full"
    AUDIT = "random_audit"
    DUPLICATE_CLIP = "duplicate_clip"

    # verdicts of a reviewer
    REJECTED_BY_REVIEWER = "rejected_by_reviewer"

    @property
    def remedy(self) -> str:
        """One line that says what a person can do about it."""
        return REMEDIES[self]


REMEDIES: dict[Outcome, str] = {
    Outcome.OK: "nothing to do",
    Outcome.DUPLICATE_ROW: "the first row with this link and span is used; drop the others",
    Outcome.MISSING_COLUMN: "name a column `url` or `path` in the table's header",
    Outcome.BAD_ENCODING: "save the table as UTF-8",
    Outcome.BAD_LINE: "mend the line: quotes must close, cells fit the header, JSON be one object a line",
    Outcome.BAD_SPAN: "give start and end in seconds with 0 <= start < end",
    Outcome.BAD_LINK: "use an http(s) link to a public host; loopback needs `fetch.allow_loopback`",
    Outcome.FILE_MISSING: "check the path; relative paths start at the table's folder",
    Outcome.LINK_OUTSIDE: "name what the symbolic link leads to as a source, or set `sources.follow_links: true`",
    Outcome.EXCLUDED: "it is on a list of `sources.exclude`, such as a benchmark's test set; nothing to mend",
    Outcome.HOST_NOT_ALLOWED: "add its host to `sources.hosts`, or drop the link",
    Outcome.LICENCE_NOT_ALLOWED: "add its licence to `sources.licences`, state it in the list, or drop the link",
    Outcome.NOT_FOUND: "the server has no such page (404); correct the link",
    Outcome.UNREACHABLE: "check the host name and this machine's network, then run again",
    Outcome.FORBIDDEN: "the server refuses (401/403); give cookies or drop the link",
    Outcome.TIMED_OUT: "run again later, or raise `fetch.timeout_s`, `fetch.deadline_s` or `fetch.cpu_s`",
    Outcome.TOO_LARGE: "raise `fetch.max_bytes` or the `analysis.max_...` that its words name, or take a smaller file",
    Outcome.TOO_LONG: "raise `fetch.max_duration_s` or drop the link",
    Outcome.RATE_LIMITED: "wait; a run after its `retry_at` tries again; fewer `fetch.videos_per_hour` avoid it",
    Outcome.BOT_WALL: "wait; a run after its `retry_at` tries again; cookies of an account may lift it",
    Outcome.PRIVATE: "the owner made it private; drop the link",
    Outcome.TERMINATED: "the account behind it is closed; drop the link",
    Outcome.COPYRIGHT: "somebody else's rights keep it off; drop the link",
    Outcome.MEMBERS_ONLY: "for members or subscribers of its channel; give cookies of one or drop it",
    Outcome.PAID: "it has to be bought or rented; drop the link",
    Outcome.PASSWORD: "a password protects it; ask its owner for a file and curate that",
    Outcome.LOGIN_REQUIRED: "needs a signed-in account; give `fetch.cookies` or drop it",
    Outcome.UPCOMING: "it is not out yet; a later run with --retry fetches it",
    Outcome.DRM: "it is encrypted against copying; drop the link",
    Outcome.NO_FORMAT: "nothing that fits `fetch.format` and `fetch.max_height` is offered; loosen them or drop it",
    Outcome.DNS_FAILED: "no such host is known; correct the link, or check this machine's name server",
    Outcome.TLS_FAILED: "its certificate is not valid, or the clock of this machine is wrong",
    Outcome.BLOCKED_ADDRESS: "it leads into a private network; loopback needs `fetch.allow_loopback`",
    Outcome.MERGE_FAILED: "picture and sound could not be put together; choose another `fetch.format` or drop the link",
    Outcome.REMOVED: "it was removed by its owner or host; drop the link",
    Outcome.GEO_BLOCKED: "not offered in this country; fetch it elsewhere or drop it",
    Outcome.AGE_RESTRICTED: "needs a signed-in account; give cookies or drop it",
    Outcome.LIVE: "a live stream has no end; fetch its recording later",
    Outcome.UNSUPPORTED_SITE: "no video was found at this link; link to the video itself",
    Outcome.SITE_CHANGED: "the site has changed; a newer yt-dlp may know it",
    Outcome.SERVER_ERROR: "the server failed (5xx); the next run tries again",
    Outcome.DISK_FULL: "free disk space or move `--home`, then run again",
    Outcome.FETCH_FAILED: "see `clapboard explain LINK` for the downloader's own words",
    Outcome.TAKEN_DOWN: "somebody demanded its removal; it is never fetched again",
    Outcome.EMPTY_FILE: "the file has no bytes; fetch it again",
    Outcome.NOT_A_VIDEO: "the file is no video container; link to the video itself",
    Outcome.TRUNCATED: "the file ends before its own index says; fetch it again",
    Outcome.NO_VIDEO: "there is no picture track, or a single picture; choose another format",
    Outcome.NO_AUDIO: "there is no sound track; choose a format with sound",
    Outcome.UNKNOWN_CODEC: "its codec is not among those that web video uses; re-encode it, to H.264 and AAC say",
    Outcome.TOO_SHORT: "shorter than one window (`clips.window_s`); lengthen the span or shorten the window",
    Outcome.SPAN_OUTSIDE: "start lies behind the video's end; correct the row",
    Outcome.DECODE_FAILED: "the decoder gave up; re-encode the file or drop it",
    Outcome.BROKEN_CLOCK: "one track's clock begins anew, the other's does not: what belongs together is lost; drop it",
    Outcome.DECODE_TIMED_OUT: "raise `sandbox.deadline_s` and `sandbox.cpu_s`, or drop the file",
    Outcome.DECODER_CRASHED: "the file made the decoder crash in its own process; re-encode the file or drop it",
    Outcome.TOO_MUCH_MEMORY: "raise `sandbox.memory_gib` (`fetch.memory_gib` while it is fetched), or drop it",
    Outcome.SHOT_CHANGE: "it runs over a cut or a change of size; its parts inside one shot are windows of their own",
    Outcome.SILENT: "peak amplitude below `policy.min_peak`; nothing to mend",
    Outcome.SOUND_MISSING: "the file has no sound for more of it than `policy.max_missing_sound_s`; fetch it again",
    Outcome.PICTURE_MISSING: "pictures are lost or damaged (`policy.max_frozen_s`, `max_smeared_s`); fetch it again",
    Outcome.STATIC_PICTURE: "nothing moves in any region (`policy.min_local_motion`, `policy.min_motion`)",
    Outcome.TOO_MUCH_MOTION: "the camera shakes, or all flickers (`policy.max_camera_motion`, `policy.max_motion`)",
    Outcome.OFFSET: "sound and picture agree at another offset; `clapboard explain` shows which",
    Outcome.UNSYNCHRONISED: "there are cues, and they speak against this sound: swapped, added, moved or off-screen",
    Outcome.WEAK_SYNC: "sound and motion agree, but not surely; a reviewer decides",
    Outcome.NO_CUES: "nothing tells the timing, as in steady sound; a reviewer or `policy.wanted_of` its class decides",
    Outcome.MISMATCH: "picture or sound does not fit the caption; a reviewer decides",
    Outcome.WEAK_MEANING: "whether picture, sound and words agree is not sure, or was not measured; a reviewer decides",
    Outcome.OFFSET_CORRECTED: "the sound is out of step by a constant amount and is moved at the cut; nothing to mend",
    Outcome.CLASS_FULL: "its class has as many better clips as `policy.most_per_class` asks for; raise that",
    Outcome.AUDIT: "drawn at random so that a person checks the automatic decisions",
    Outcome.DUPLICATE_CLIP: "a better copy of it is there, or it is in a benchmark; `clapboard explain` shows which",
    Outcome.REJECTED_BY_REVIEWER: "a person said no; `clapboard explain` shows who and why",
}


def remedy_of(name: str) -> str:
    """The remedy of an outcome as the funnel names it ("silent", "reject: silent"); "" where nothing went wrong."""
    bare = name.removeprefix("reject: ")
    return REMEDIES[Outcome(bare)] if bare in set(Outcome) and bare != Outcome.OK else ""
