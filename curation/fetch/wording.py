"""Words by which yt-dlp and the sites it quotes tell why there is no video, and the outcome that each stands for.

Made for yt-dlp 2026.10; tests/curation/messages.tsv is the collection that it was made from.
"""

import re

from curation.outcomes import Outcome

BOT_WALL = re.compile(
    r"not a bot|suspected as a bot|captcha|unusual traffic|are (a )?human|anti-bot|tls fingerprint"
    r"|\bchallenge\b.*(webpage|page|response)|rejected by server|likely being blocked",
    re.I,
)
"""Looked for before statuses: 403 alone would not say that waiting helps."""

_WORDS: tuple[tuple[str, Outcome], ...] = (
    (r"is not a public address", Outcome.BLOCKED_ADDRESS),
    (
        r"unknown url type|unsupported url scheme|file:// urls|is not a valid url|invalid (facebook )?(redirect )?url"
        r"|looks truncated|without video id|blob url|quote the url|(url is|in) missing",
        Outcome.BAD_LINK,
    ),
    (r"max-filesize|larger than max|page is larger than|unpacks to more", Outcome.TOO_LARGE),
    (r"downloaded file is empty|empty file|did not get any data blocks", Outcome.EMPTY_FILE),
    (
        r"no space left|disk quota exceeded|unable to (write|open for writing|create dir)|cannot write",
        Outcome.DISK_FULL,
    ),
    (
        r"rate.?limit|too many requests|isn.t available, try again later|reached your (play|download) limit"
        r"|blocked by server",
        Outcome.RATE_LIMITED,
    ),
    (r"connect to proxy|tunnel connection failed", Outcome.UNREACHABLE),
    (r"temporarily unavailable|internal server error|bad gateway|server-side|try again later", Outcome.SERVER_ERROR),
    (r"(account|channel|user) .*(terminated|closed|suspended|deactivated|banned)|closed their", Outcome.TERMINATED),
    (r"removed for violating|replay is disabled|there is no archive", Outcome.REMOVED),
    (r"certificate|\bssl\b|\btls\b|handshake", Outcome.TLS_FAILED),
    (
        r"password.protected|protected by (a )?password|(wrong|invalid|incorrect) (video )?password(?! or|/)"
        r"|--video-password",
        Outcome.PASSWORD,
    ),
    (
        r"confirm your age|age.?(restrict|gate|verif|limit)|older than \d|adult verification|inappropriate for"
        r"|adults? only|\bnsfw\b|sensitive content|only available (after|between) \d",
        Outcome.AGE_RESTRICTED,
    ),
    (
        r"members?.?only|for members|(for|FIRST|premium) members|join this channel|to (members|patrons)"
        r"|\bsubscri(be|bers|bed|ption)|premium|supporter-only|vip accounts",
        Outcome.MEMBERS_ONLY,
    ),
    (
        r"requires? (a )?(payment|purchase|ticket)|purchas|\bpaid\b|\brent(al)?\b|tickets? (to|for) this|pass ticket",
        Outcome.PAID,
    ),
    (
        r"your country|this country|countries|geo.?(restrict|block)|(geographic|current|your) location"
        r"|(your|this|geographic) region|only available in [A-Z]|available in \w+ only|russian government"
        r"|users in [A-Z]|valid areas",
        Outcome.GEO_BLOCKED,
    ),
    (r"\bprivate\b|protected (tweet|account)|not authorized to view|dashboard-only", Outcome.PRIVATE),
    (
        r"premieres? (in|will|on)|will (begin|start)|not (yet )?started|not (yet )?available yet|is not yet available"
        r"|upcoming|scheduled|uploading or processing|is processing|be available (after|shortly)|downloadable yet",
        Outcome.UPCOMING,
    ),
    (
        r"live event|is live\b|live ?stream|not (currently |yet )?live|is (currently |now )?offline|no active streams|"
        r"currently (airing|broadcasting)|(stream|event|live|space) (was |has )?(ended|expired)|nor live",
        Outcome.LIVE,
    ),
    (r"\bdrm\b|widevine|fairplay", Outcome.DRM),
    (
        r"copyright|has blocked it|content ?id|infring|dmca|licensing restrictions|rights holder|piracy",
        Outcome.COPYRIGHT,
    ),
    (
        r"delegated to ffmpeg|ffmpeg exited with code|protocol \w+ needs|phantomjs"
        r"|rtmp(dump)? (download|exited)|download detected but|embed-only",
        Outcome.UNSUPPORTED_SITE,
    ),
    (
        r"postprocessing|conversion failed|ffmpeg (is |could )?not (found|installed|be found)|merging of multiple"
        r"|ffprobe|cannot be concatenated",
        Outcome.MERGE_FAILED,
    ),
    (r"not found. please install", Outcome.UNSUPPORTED_SITE),
    (
        r"format is not available|no (video |supported |suitable )?(formats|media|stream)(?! information| entries)"
        r"|only images are available|formats? (are|is) .*not supported|suitable formats",
        Outcome.NO_FORMAT,
    ),
    (r"not available on this app", Outcome.SITE_CHANGED),
    (r"tokens?\b.*(expired|invalid|not valid)|invalid .*token|auth token|authorization lost", Outcome.LOGIN_REQUIRED),
    (
        r"removed|deleted|no longer (available|exists?)|unavailable|not (been made )?available|isn.t available"
        r"|ha(s|ve) expired|been taken down|violat|does(n.t| not) exist|not found; it has|unlisted or"
        r"|content is unreach|link is expired|expired or|not archived|\bin no longer available|unplayable",
        Outcome.REMOVED,
    ),
    (
        r"log.?in\b|logged.?in|log into|sign.?in\b|authenticat|cookies|registered users|unauthori[sz]ed|credentials"
        r"|\b(username|password)\b|account (is )?(required|needed)|an account\b|your account",
        Outcome.LOGIN_REQUIRED,
    ),
    (
        r"\bno (valid |embedded |source )?(video|audio|embed|source|track|song|stream|clip)|not contain|n.t contain"
        r"|(does|do) not have (a|any) videos?|any video|is unusual and will be|not a (video|media|file)"
        r"|no downloads|is not a file|primarily used",
        Outcome.UNSUPPORTED_SITE,
    ),
    (
        r"unsupported|(not|n.t|none of .* are) (currently |directly )?supported|unrecogni[sz]ed",
        Outcome.UNSUPPORTED_SITE,
    ),
    (r"timed? ?out|deadline has passed", Outcome.TIMED_OUT),
    (r"name or service not known|name resolution|getaddrinfo|no address associated", Outcome.DNS_FAILED),
    (
        r"connection refused|(network|host) is unreachable|no route to host|proxy (server|error)|could not connect"
        r"|network error",
        Outcome.UNREACHABLE,
    ),
    (
        r"connection (reset|aborted|broken)|incomplete|bytes read|remote end closed|too short|downloaded \d+ bytes"
        r"|error occurred while receiving",
        Outcome.UNREACHABLE,
    ),
    (
        r"ip address (is|has been) (blocked|unable)|access (is )?denied|forbidden"
        r"|(do|does) not have (access|permission)|inaccessible|can.t be accessed|unable to access"
        r"|is locked|contents? locked|track is restricted"
        r"|video is restricted",
        Outcome.FORBIDDEN,
    ),
    (r"not found|no such|404|no [\w ]+ with id \w+ exists|no entry", Outcome.NOT_FOUND),
    (
        r"(unable|failed) to (?!download )|(could|can) ?not |can.t |unexpected|unknown|nsig|player .*(fail|error)"
        r"|missing|precondition check failed|page needs to be reloaded|api (error|call)|returned (an? )?(error|empty)"
        r"|extractor error|identify player",
        Outcome.SITE_CHANGED,
    ),
)

BY_WORDS = tuple((re.compile(pattern, re.I), outcome) for pattern, outcome in _WORDS)
"""The first that matches counts, so the narrow ones come first."""
