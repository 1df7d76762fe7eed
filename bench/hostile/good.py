"""Twenty videos as they should be, in all the ways that they come."""

import subprocess
from pathlib import Path

from shards.ffmpeg import ffmpeg_binary

KEY = bytes(range(16))


def make(folder: Path, count: int) -> list[str]:
    """Write so many videos; returns the paths of their links below the folder."""
    return [_made(folder / str(number), number) for number in range(count)]


def _made(folder: Path, number: int) -> str:
    """One second of picture and sound: as one file, as HLS, as HLS under AES-128, or as DASH with its tracks apart."""
    folder.mkdir(parents=True)

    def run(*arguments: str) -> None:
        subprocess.run([str(ffmpeg_binary()), "-v", "error", "-y", *arguments], check=True, timeout=120, cwd=folder)

    picture = ["-f", "lavfi", "-i", f"testsrc=s=64x48:r=10:d=1,hue=h={number * 18}"]
    codecs = ["-c:v", "libx264", "-preset", "ultrafast", "-g", "5", "-c:a", "aac", "-shortest"]
    run(
        *picture, "-f", "lavfi", "-i", f"sine=f={300 + 20 * number}:d=1", *codecs, "-movflags", "+faststart", "film.mp4"
    )
    listed = ["-c", "copy", "-hls_time", "0.5", "-hls_playlist_type", "vod", "film.m3u8"]
    match number % 4:
        case 0:
            return f"{number}/film.mp4"
        case 1:
            run("-i", "film.mp4", *listed)
        case 2:
            (folder / "film.key").write_bytes(KEY)
            (folder / "film.info").write_text("film.key\nfilm.key\n")
            run("-i", "film.mp4", "-hls_key_info_file", "film.info", *listed)
        case _:
            run("-i", "film.mp4", "-c", "copy", "-seg_duration", "1", "-f", "dash", "film.mpd")
            return f"{number}/film.mpd"
    return f"{number}/film.m3u8"
