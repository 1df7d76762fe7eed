"""Settings of fetching: a model of the recipe."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field


class FetchSettings(BaseModel):
    """How videos are fetched, and what is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    allow_loopback: bool = Field(False, description="allow links to this machine, for tests and the demo")
    max_height: int = Field(
        720, ge=16, le=4320, description="tallest picture to ask for, in pixels, where there is a choice"
    )
    format: str = Field("", description="yt-dlp's format selection; empty: the best up to max_height that has sound")
    max_bytes: int = Field(2_000_000_000, ge=1, description="refuse larger files")
    timeout_s: float = Field(20.0, gt=0, le=600, description="longest silence of a connection")
    deadline_s: float = Field(1800.0, gt=0, le=86_400, description="longest time for one video")
    retries: int = Field(3, ge=0, le=20, description="tries again within a fetch, where that can help")
    videos_per_hour: float = Field(
        250.0, gt=0, le=100_000, description="most videos in any hour from one host; loopback is exempt"
    )
    cookies: Path | None = Field(None, description="a cookies.txt, for what needs an account; it is only read")

    def selection(self) -> str:
        """The format selection for yt-dlp; its last resort is any picture with any sound."""
        tall = f"[height<={self.max_height}]"
        return self.format or f"bv*{tall}+ba/b{tall}/bv*+ba/b"
