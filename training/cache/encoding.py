"""What a config encodes of a snapshot's clips, and those clips encoded: from the cache, or live."""

from pathlib import Path

from shards.snapshot import Snapshot
from training.backbones import Backbone
from training.cache.build import CacheReport, build_cache, live_clips
from training.cache.parts import Part, Pictures, Sound, Words
from training.encoders import open_encoder
from training.parallel import ALONE, World
from training.progress import Progress
from training.settings.config import TrainConfig


def parts_of(config: TrainConfig, backbone: Backbone, *, device: str = "cpu") -> list[Part]:
    """What a config encodes of a clip, and on which device."""
    duration_s = backbone.video.duration_s
    sounds = [Sound(open_encoder(one, device=device), duration_s=duration_s) for one in config.encoders]
    return [*sounds, Words(backbone), Pictures(backbone)]


def encoded_clips(
    config: TrainConfig,
    snapshot: Snapshot,
    backbone: Backbone,
    *,
    runs_root: Path,
    world: World = ALONE,
    progress: Progress | None = None,
) -> CacheReport:
    """The snapshot encoded for a config, from the cache as far as it is there; live where no cache is wanted."""
    parts, duration_s = parts_of(config, backbone, device=world.device), backbone.video.duration_s
    if not config.cache:
        clips = live_clips(snapshot, parts, config.windows, duration_s=duration_s)
        return CacheReport(clips, encoded=0, reused=0)
    return build_cache(
        snapshot,
        parts,
        config.windows,
        duration_s=duration_s,
        root=runs_root / "cache",
        world=world,
        progress=progress,
    )
