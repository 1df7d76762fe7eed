"""The cookies of an account: read here, handed to the cage in memory, written nowhere."""

import stat
from pathlib import Path

from curation.fetch.line import MAX_COOKIES_BYTES
from shards.errors import BadInput


def read_cookies(file: Path | None) -> bytes:
    """The bytes of a cookies.txt; none where there is no such setting.

    Raises:
        BadInput: it cannot be read, others can read it too, or it is no file of cookies.
    """
    if file is None:
        return b""
    try:
        status = file.stat()
        if status.st_mode & (stat.S_IRGRP | stat.S_IROTH):
            raise BadInput(f"others on this machine can read the cookies {file}", remedy=f"chmod 600 {file}")
        if status.st_size > MAX_COOKIES_BYTES:
            raise BadInput(f"the cookies {file} are larger than {MAX_COOKIES_BYTES} bytes", remedy="export them anew")
        return file.read_text(encoding="utf-8").encode()
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"the cookies {file} cannot be read: {error}", remedy="check `fetch.cookies`") from error
