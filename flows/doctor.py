"""What this machine has: each part is fine, lacking (some things will not run) or blocked (nothing will)."""

import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version as installed_version
from importlib.util import find_spec
from pathlib import Path

from curation.home.folder import Home, file_of
from flows.doctor_cage import examine_cage
from flows.findings import Finding, State
from shards.errors import ClapboardError, Unavailable

LOW_DISK_GB = 5


def examine(home: Home) -> list[Finding]:
    """Look at everything that a run may need; takes seconds, since torch is asked for a GPU."""
    checks: list[Callable[[], Finding]] = [
        _python,
        _packages,
        _training_is_ours,
        _ffmpeg,
        _sandbox,
        _gpu,
        lambda: _disk(home),
        lambda: _ledger(home),
        lambda: _server(home),
    ]
    return [check() for check in checks] + [*_orchestration(home), *examine_cage(home), _networks(), *_weights()]


def _python() -> Finding:
    found = ".".join(map(str, sys.version_info[:3]))
    good = sys.version_info >= (3, 11)
    return Finding("Python", State.OK if good else State.BLOCKED, found, "" if good else "install Python 3.11 or newer")


def _packages() -> Finding:
    found = {name: installed_version(name) for name in ("prefect", "fastapi", "sqlalchemy", "torch", "diffusers")}
    words = ", ".join(f"{name} {number}" for name, number in found.items())
    # With these two the server starts and the UI works, but scheduled runs never come (docs/decisions/0001-pins.md).
    broken = found["sqlalchemy"].startswith("2.1") or tuple(map(int, found["fastapi"].split(".")[:2])) >= (0, 155)
    remedy = "uv pip sync requirements.lock" if broken else ""
    return Finding("packages", State.BLOCKED if broken else State.OK, words, remedy)


def _training_is_ours() -> Finding:
    spec = find_spec("training")
    origin = spec.origin if spec and spec.origin else "not found"
    ours = Path(origin).resolve().parent.parent == Path(__file__).resolve().parent.parent
    remedy = "" if ours else "install Clapboard itself; another package's `training` is in the way"
    return Finding("import training", State.OK if ours else State.BLOCKED, origin, remedy)


def _ffmpeg() -> Finding:
    from shards.ffmpeg import ffmpeg_binary

    try:
        binary = ffmpeg_binary()
    except Unavailable as lack:
        return Finding("ffmpeg", State.BLOCKED, lack.message, lack.remedy)
    said = subprocess.run([binary, "-version"], capture_output=True, text=True, check=False, timeout=20).stdout
    return Finding("ffmpeg", State.OK, f"{' '.join(said.split()[:3])} ({binary})")


def _sandbox() -> Finding:
    from curation.media.sandbox import MediaWorkers

    with MediaWorkers(count=1) as workers:
        if workers.offline():
            return Finding("sandbox", State.OK, "files are decoded in processes without a network")
    remedy = "allow unprivileged user namespaces, or give the machine or container no network it can do without"
    return Finding("sandbox", State.LACKING, "files are decoded in processes that could reach the network", remedy)


def _gpu() -> Finding:
    import torch

    if torch.cuda.is_available():
        card = torch.cuda.get_device_properties(0)
        return Finding("GPU", State.OK, f"{torch.cuda.device_count()} x {card.name}, {card.total_memory >> 30} GiB")
    return Finding(
        "GPU",
        State.LACKING,
        "none; the small `drawn` generator trains on the processor",
        "train large backbones elsewhere",
    )


def _disk(home: Home) -> Finding:
    place = next(one for one in (home.root, *home.root.parents) if one.exists())
    free_gb = shutil.disk_usage(place).free / 1e9
    low = free_gb < LOW_DISK_GB
    remedy = "free some space, or name another --home" if low else ""
    return Finding("disk", State.LACKING if low else State.OK, f"{free_gb:.0f} GB free at {place}", remedy)


def _ledger(home: Home) -> Finding:
    """Every page of it is looked at."""
    file = file_of(home.ledger_url)
    if file and not file.is_file():
        return Finding("ledger", State.OK, f"none yet at {file}")
    try:
        with home.ledger(must_exist=True) as ledger:
            ledger.check()
    except ClapboardError as error:
        return Finding("ledger", State.BLOCKED, error.message, error.remedy)
    if file and file.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO) and home.root.stat().st_mode & stat.S_IXOTH:
        remedy = f"chmod 700 {home.root} && chmod 600 {file}, if nobody else works in it"
        return Finding("ledger", State.LACKING, f"others on this machine can read {file}", remedy)
    return Finding("ledger", State.OK, f"whole: {file or 'on a server, which looks after it'}")


def _server(home: Home) -> Finding:
    from flows.server import named_server, running_server

    try:
        if named_server():
            return Finding("Prefect server", State.OK, "the one that PREFECT_API_URL names answers")
    except Unavailable as lack:
        # Every command that needs a server would stop there.
        return Finding("Prefect server", State.BLOCKED, lack.message, lack.remedy)
    if url := running_server(home):
        return Finding("Prefect server", State.OK, url)
    return Finding("Prefect server", State.OK, "none runs; commands start their own", "to keep one: clapboard serve")


def _orchestration(home: Home) -> list[Finding]:
    """What the server that answers holds up; one that is named and does not answer is a finding of its own."""
    from flows.operate.mend import examine_server

    try:
        return examine_server(home)
    except Unavailable:
        return []


def _networks() -> Finding:
    from curation.accounting.networks import NETWORKS, lacks

    found = lacks()
    if not found:
        here = f"{', '.join(NETWORKS.values())} are here: `published` is the recipe of whoever names none"
        return Finding("published networks", State.OK, here)
    remedies = "; ".join(dict.fromkeys(lack.remedy for lack in found))
    missing = f"{len(found)} things lack for the recipe `published`: runs take `default` instead"
    return Finding("published networks", State.LACKING, missing, remedies)


def _weights() -> list[Finding]:
    from shards.weights import known, status

    findings = []
    for one in known():
        state = status(one.name)
        good = State.OK if state.present else State.LACKING
        findings.append(
            Finding(f"weights {one.name}", good, str(state.path) if state.present else state.why, state.remedy)
        )
    return findings
