"""Do the weights for training work here: each set that there is, loaded and used once (`doctor --training`)."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from flows.findings import Finding, State
from shards.errors import BadInput, ClapboardError
from shards.weights import known, status


def named_folders(settings: list[str]) -> dict[str, Path]:
    """Folders as "NAME=FOLDER".

    Raises:
        BadInput: one is not written so.
    """
    pairs = [one.partition("=") for one in settings]
    for name, equals, folder in pairs:
        if not (name and equals and folder):
            raise BadInput(f"{name!r} names no folder", remedy="write --weights wan2.2-ti2v-5b=FOLDER")
    return {name: Path(folder) for name, _, folder in pairs}


def examine_training(folders: Mapping[str, Path], *, device: str) -> Iterator[Finding]:
    """Each backbone and audio encoder whose weights were named or fetched, one after the other.

    Raises:
        BadInput: a name that is neither a backbone's nor an encoder's.
        Unavailable: there is no such device.
    """
    from training.backbones import BACKBONES
    from training.encoders import ENCODERS
    from training.parallel import chosen_device

    for name in folders:
        if name not in {**BACKBONES, **ENCODERS}:
            there = ", ".join(sorted({**BACKBONES, **ENCODERS}))
            raise BadInput(f"there is no backbone or encoder {name!r}", remedy=f"one of: {there}")
    fetched = {one.name for one in known() if status(one.name).present}
    chosen = [name for name in (*BACKBONES, *ENCODERS) if name in folders or name in fetched]
    if not chosen:
        yield Finding("weights for training", State.LACKING, "none are here", "clapboard weights fetch wan2.2-ti2v-5b")
    where = chosen_device(device)
    for name in chosen:
        yield _examined(name, folders.get(name), device=where)


def _examined(name: str, folder: Path | None, *, device: str) -> Finding:
    from training.backbones import BACKBONES, BackboneOptions
    from training.settings.config import EncoderConfig
    from training.stages.check import check_backbone, check_encoder

    try:
        if name in BACKBONES:
            options = BackboneOptions(weights=folder, half=device != "cpu", device=device)
            found = check_backbone(name, options)
            words = (
                f"they work on {device}: a step (loss {found.loss:.3g}) and a sample in {found.seconds:.0f} s, "
                f"{found.apart:.2%} off diffusers' own pipeline"
            )
        else:
            check_encoder(EncoderConfig(name=name, weights=folder), device=device)
            words = f"they work on {device}"
    except ClapboardError as error:
        return Finding(f"weights {name}", State.BLOCKED, error.message, error.remedy)
    return Finding(f"weights {name}", State.OK, words)
