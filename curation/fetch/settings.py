"""Settings of fetching: a model of the recipe."""

from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

ABOVE = 1.1
"""A file may be so much larger than what its site and our limit speak of [ours]."""


class FetchSettings(BaseModel):
    """How videos are fetched, and what is refused."""

    # The proxy may hold a password, which an error would repeat.
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    allow_loopback: bool = Field(False, description="allow links to this machine, for tests and the demo")
    max_height: int = Field(
        720, ge=16, le=4320, description="tallest picture to ask for, in pixels, where there is a choice"
    )
    format: str = Field("", description="yt-dlp's format selection; empty: the best up to max_height that has sound")
    max_bytes: int = Field(2_000_000_000, ge=1, description="refuse larger files")
    max_duration_s: float = Field(4 * 3600, gt=0, description="refuse longer videos before they are downloaded")
    timeout_s: float = Field(20.0, gt=0, le=600, description="longest silence of a connection")
    deadline_s: float = Field(1800.0, gt=0, le=86_400, description="longest time for one video")
    memory_gib: float = Field(
        1.0, ge=0.4, le=64, description="memory of the process that fetches: pages and manifests are read in it"
    )
    cpu_s: float = Field(600.0, gt=0, le=86_400, description="most processor time for one video or list")
    js_runtimes: tuple[Literal["deno", "node", "bun", "quickjs"], ...] = Field(
        (), description="programs that yt-dlp may start to run a site's scripts; as it comes it starts none"
    )
    retries: int = Field(3, ge=0, le=20, description="tries again within a fetch, where that can help")
    backoff_s: float = Field(
        1.0, ge=0, le=600, description="pause before the first such try; doubled each time, and varied by chance"
    )
    videos_per_hour: float = Field(
        250.0,
        gt=0,
        le=100_000,
        description="most videos in any hour from one host; an account of a site may allow more; loopback is exempt",
    )
    pause_s: float = Field(
        1.0, ge=0, description="least pause between two videos, or pages of a list, of one host; loopback is exempt"
    )
    jitter: float = Field(0.5, ge=0, le=10, description="pauses are longer by up to this share, by chance")
    cool_s: float = Field(
        3600.0,
        gt=0,
        description="how long a host that turned us away is left alone; doubled each time it goes on",
    )
    patience_s: float = Field(
        0.0, ge=0, description="how long a run waits for such hosts; else the next run goes on with them"
    )
    cookies: Path | None = Field(
        None, description="a cookies.txt (mode 600), for what needs an account; it is only read"
    )
    proxy: SecretStr | None = Field(
        None,
        description="a proxy for all connections, http:// or socks5h://; names are then resolved there, not here",
    )

    @field_validator("proxy")
    @classmethod
    def _is_known(cls, proxy: SecretStr | None) -> SecretStr | None:
        if proxy is None or _names_a_proxy(proxy.get_secret_value()):
            return proxy
        raise ValueError("a proxy is http://HOST:PORT or socks5h://HOST:PORT")

    def proxy_link(self) -> str:
        """The proxy with its password, empty if there is none."""
        return self.proxy.get_secret_value() if self.proxy else ""

    def handed(self) -> dict[str, Any]:
        """What a cage is told; it must know the proxy's password, and not where cookies lie."""
        told = self.model_dump(mode="json", exclude={"cookies"})
        return told | {"proxy": self.proxy_link() or None}

    def most_written(self) -> int:
        """Bytes that a file may have: a container has some of its own beside those that a site or a limit speaks of."""
        return int(self.max_bytes * ABOVE) + (1 << 20)

    def selection(self) -> str:
        """The format selection for yt-dlp; its last resort is any picture with any sound."""
        tall = f"[height<={self.max_height}]"
        return self.format or f"bv*{tall}+ba/b{tall}/bv*+ba/b"


def _names_a_proxy(link: str) -> bool:
    try:
        parts = urlsplit(link)
        return parts.scheme in ("http", "socks5h") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
