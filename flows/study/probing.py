"""The second truth beside drawn films: what a shifted or a swapped sound costs an arm on films of one's own.

Nothing is trained on them and nothing animated: no drawn world is the world, and filmed strikes have no exact truth.
"""

import json
from collections.abc import Sequence
from pathlib import Path

from curation.settings.recipe import Recipe
from flows.curate import CurateParams, curate
from flows.study.data import FIRST, everything, home_in
from shards.snapshot import Snapshot, open_snapshot
from training.adapter.files import load_adapter
from training.animate.parts import adapter_folder, backbone_of, frozen_weights
from training.cache.encoding import encoded_clips
from training.loop.probe import SyncProbe, sync_probe
from training.settings.config import TrainConfig

FILMED = "filmed"
CONFIG = "config.json"


def filmed(root: Path, sources: Sequence[str], recipe: Recipe) -> Snapshot:
    """The snapshot of the films to probe on: everything that decodes."""
    home = home_in(root, FILMED)
    curate(CurateParams(sources=list(sources), home=home.root, recipe=everything(recipe)))
    return open_snapshot(home.snapshots, f"auto/{FIRST}")


def probed(run: Path, snapshot: Snapshot, *, runs_root: Path, count: int) -> SyncProbe:
    """Probe a trained run on `count` windows of a snapshot."""
    kept = json.loads((run / CONFIG).read_text(encoding="utf-8"))
    config = TrainConfig.model_validate({name: kept[name] for name in TrainConfig.model_fields if name in kept})
    folder = adapter_folder(run)
    saved = load_adapter(folder)
    backbone = backbone_of(saved)
    backbone.load_weights(frozen_weights(saved, folder, backbone))
    clips = encoded_clips(config, snapshot, backbone, runs_root=runs_root).clips
    return sync_probe(saved.adapter, backbone, clips, count=count)
