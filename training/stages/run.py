"""The inside of a stage: what `stage.train_stage` does once it knows that there is something to do."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shards.errors import TrainingError
from shards.files import write_atomic
from shards.snapshot import Snapshot, open_snapshot
from training.adapter.budget import trainable_share
from training.adapter.files import SavedAdapter, load_adapter, save_adapter
from training.adapter.layer import AudioAdapter
from training.animate.parts import adapter_folder
from training.backbones import Backbone, open_backbone, shape_of
from training.cache.encoding import encoded_clips
from training.data.batches import Draw
from training.data.clips import ClipSet, Examples, Joined, share_of, split
from training.data.plan import Balanced, Plan, Replayed, Shuffled
from training.loop.blocks import compile_blocks, use_checkpointing
from training.loop.disk import check_room
from training.loop.log import open_trackers
from training.loop.loop import LoopResult, run_loop
from training.loop.pretrain import pretrained
from training.parallel import World, shard_network
from training.progress import Progress
from training.settings.config import TrainConfig
from training.stages.extras import extras_of
from training.stages.fitting import fresh_adapter
from training.stages.result import StageResult, relative, save_result


@dataclass(frozen=True, slots=True)
class _Ready:
    """All that a loop needs."""

    backbone: Backbone
    weights: Path
    adapter: AudioAdapter
    encoded: int
    reused: int
    train: ClipSet
    older: ClipSet | None
    held_out: ClipSet

    def clips(self) -> Examples:
        """What is trained on: clips of the snapshot, and where some are replayed those of stage one behind them."""
        return Joined(self.train, self.older) if self.older else self.train


def run_stage(
    config: TrainConfig,
    snapshot: Snapshot,
    *,
    parent: Path | None,
    run_dir: Path,
    runs_root: Path,
    snapshots_root: Path,
    world: World,
    progress: Progress | None,
) -> StageResult:
    """Cache, backbone, loop, adapter, probe; see `stage.train_stage`."""
    # A tracker that does not start is said now, not after hours of encoding.
    with open_trackers(config.trackers if world.leads else (), run_dir, config.model_dump(mode="json")) as trackers:
        ready = _prepared(config, snapshot, parent, runs_root, snapshots_root, world, progress)
        check_room(run_dir, weights=ready.adapter.config.parameters(), keep=config.keep)
        _place(ready, config, world)
        notes = _notes(config, snapshot, parent, ready, run_dir)
        if world.leads:
            _write_config(config, snapshot, run_dir)
        extras = extras_of(
            config,
            ready.adapter,
            ready.backbone,
            ready.held_out,
            snapshot=snapshot,
            run_dir=run_dir,
            world=world,
            trackers=trackers,
        )
        loop = run_loop(
            ready.adapter,
            ready.backbone,
            ready.clips(),
            _draw(config, ready),
            config,
            folder=run_dir,
            world=world,
            extras=extras,
            progress=_named(progress, "train"),
        )
    said = {} if loop.stopped or extras.probe is None else extras.probe(loop.average).to_json()
    result = _result(ready, loop, snapshot.id, run_dir, said)
    if world.leads:
        _leave(result, ready, loop, notes)
    world.wait()
    return result


def _write_config(config: TrainConfig, snapshot: Snapshot, run_dir: Path) -> None:
    resolved = config.model_dump(mode="json") | {"snapshot": snapshot.id, "snapshot_digest": snapshot.digest}
    write_atomic(run_dir / "config.json", json.dumps(resolved, indent=1, sort_keys=True).encode())


def _leave(result: StageResult, ready: _Ready, loop: LoopResult, notes: dict[str, Any]) -> None:
    """Write the averaged adapter, and the result where all steps are done."""
    more = {"steps": len(loop.history.losses)}
    save_adapter(result.adapter_dir, ready.adapter.config, loop.average, notes=notes | more)
    if result.finished:
        save_result(result)


def _prepared(
    config: TrainConfig,
    snapshot: Snapshot,
    parent: Path | None,
    runs_root: Path,
    snapshots_root: Path,
    world: World,
    progress: Progress | None,
) -> _Ready:
    backbone = open_backbone(config.backbone, config.options(world.device))
    cache = encoded_clips(
        config, snapshot, backbone, runs_root=runs_root, world=world, progress=_named(progress, "cache")
    )
    train, held_out = split(cache.clips, config.held_out)
    train = share_of(train, config.share, seed=config.seed)
    adapter = fresh_adapter(config, shape_of(backbone))
    older: ClipSet | None = None
    if parent is None:
        weights = _alone_first(
            world,
            lambda: (
                backbone.weights_dir()
                or pretrained(
                    backbone,
                    train,
                    store=runs_root / "backbones",
                    config=config.pretrain,
                    progress=_named(progress, "backbone"),
                )
            ),
        )
        backbone.load_weights(weights)
    else:
        saved = load_adapter(adapter_folder(parent))
        weights = (adapter_folder(parent) / str(saved.notes["weights"])).resolve()
        backbone.load_weights(weights)
        adapter = _continued(saved, adapter, parent)
        if config.replay:
            seen = open_snapshot(snapshots_root, str(saved.notes["snapshot"]))
            again = encoded_clips(config, seen, backbone, runs_root=runs_root, world=world, progress=None)
            held = frozenset(held_out.entries.video_ids())
            older = again.clips.only(~again.clips.entries.of_videos(held))
    return _Ready(backbone, weights, adapter, cache.encoded, cache.reused, train, older, held_out)


def _alone_first(world: World, act: Callable[[], Path]) -> Path:
    """Let the leading rank make what the others then find."""
    if not world.leads:
        world.wait()
    done = act()
    if world.leads:
        world.wait()
    return done


def _continued(saved: SavedAdapter, fresh: AudioAdapter, parent: Path) -> AudioAdapter:
    """The adapter of stage one, if stage two asks for the same shapes.

    Raises:
        TrainingError: it does not.
    """
    if saved.adapter.config != fresh.config:
        raise TrainingError(
            f"stage two asks for another adapter than {parent.name} trained",
            remedy="give stage two the same backbone, encoders, window and width as stage one",
        )
    return saved.adapter


def _place(ready: _Ready, config: TrainConfig, world: World) -> None:
    """Everything onto the device, as it shall compute there."""
    network = ready.backbone.network
    use_checkpointing(network, config.checkpointing)
    if config.shard_network:
        shard_network(network, world)
    ready.backbone.to(world.device)
    ready.adapter.to(world.device)
    if config.compile:
        # Blocks that are alike are compiled once; the hooks are part of them.
        compile_blocks(network)


def _draw(config: TrainConfig, ready: _Ready) -> Draw:
    purpose = f"stage-{int(config.stage)}"
    order = f"{purpose}/order"
    plan: Plan = Shuffled(len(ready.train), config.seed, order)
    if config.balance:
        plan = Balanced(*ready.train.entries.labels(), config.seed, order)
    if ready.older:
        older = Shuffled(len(ready.older), config.seed, f"{order}/older")
        plan = Replayed(plan, older, len(ready.train), config.replay, config.seed, order)
    return Draw(
        plan=plan,
        seed=config.seed,
        purpose=purpose,
        time_of=ready.backbone.time_of,
        text_tokens=ready.backbone.text_tokens,
        no_audio=config.audio_dropout,
        no_text=config.text_dropout,
        no_image=config.image_dropout,
        from_spread=config.sample_latents,
    )


def _notes(
    config: TrainConfig, snapshot: Snapshot, parent: Path | None, ready: _Ready, run_dir: Path
) -> dict[str, Any]:
    """What an adapter says about where it comes from, and what it takes to use it."""
    return {
        "backbone": config.backbone,
        "backbone_weights": str(config.weights.resolve()) if config.weights else None,
        "weights": relative(ready.weights, run_dir / "adapter"),
        "size_px": list(ready.backbone.size_px),
        "encoders": [one.model_dump(mode="json") for one in config.encoders],
        "stage": int(config.stage),
        "snapshot": snapshot.id,
        "snapshot_digest": snapshot.digest,
        "parent": parent.name if parent else None,
    }


def _result(ready: _Ready, loop: LoopResult, snapshot_id: str, run_dir: Path, probe: dict[str, float]) -> StageResult:
    trainable, frozen = ready.adapter.config.parameters(), ready.backbone.parameter_count()
    losses = loop.history.losses
    tenth = max(len(losses) // 10, 1)
    return StageResult(
        run_dir=run_dir,
        adapter_dir=run_dir / "adapter",
        snapshot=snapshot_id,
        steps_done=len(losses),
        finished=not loop.stopped,
        fresh=True,
        resumed_from=loop.resumed_from,
        first_loss=sum(losses[:tenth]) / tenth,
        last_loss=sum(losses[-tenth:]) / tenth,
        trainable_parameters=trainable,
        backbone_parameters=frozen,
        trainable_share=trainable_share(trainable, frozen),
        clips_encoded=ready.encoded,
        clips_reused=ready.reused,
        clips_trained=len(ready.train),
        probe=probe,
    )


def _named(progress: Progress | None, name: str) -> Progress | None:
    if progress is None:
        return None
    return lambda done, total, note: progress(done, total, f"{name}: {note}")
