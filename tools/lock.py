"""Write requirements.lock, or check that it still belongs to its inputs.

    python tools/lock.py           resolve and write (needs a package index)
    python tools/lock.py --check   compare the inputs' digest with the one in the lock (offline)

The lock comes from `uv pip compile --universal --generate-hashes`, which writes no addresses, so it can be
used with whatever package index a machine is set up for.
"""

import argparse
import hashlib
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements.lock"
OVERRIDE = ROOT / "requirements" / "override.txt"
EXTRA = ROOT / "requirements" / "locked-only.txt"
MARK = "# inputs sha256: "


def inputs_digest() -> str:
    """The sha256 of all that decides the lock: dependencies, extras, Python range, overrides."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    parts = [
        project["requires-python"],
        *sorted(project["dependencies"]),
        *sorted(f"{extra}: {name}" for extra, names in project["optional-dependencies"].items() for name in names),
        OVERRIDE.read_text(),
        EXTRA.read_text(),
    ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def write() -> None:
    """Resolve all extras for every platform and put the inputs' digest on the first line."""
    command = [
        "uv", "pip", "compile", "pyproject.toml", str(EXTRA.relative_to(ROOT)), "--all-extras", "--universal",
        "--python-version", "3.11", "--generate-hashes", "--no-header", "--quiet",
        "--override", str(OVERRIDE.relative_to(ROOT)), "--output-file", str(LOCK.relative_to(ROOT)),
    ]  # fmt: skip
    subprocess.run(command, cwd=ROOT, check=True)
    LOCK.write_text(f"# Written by `make lock`.\n{MARK}{inputs_digest()}\n{LOCK.read_text()}")


def main() -> int:
    """Entry point; returns the process's exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="only say whether the lock is stale")
    if not parser.parse_args().check:
        write()
        return 0
    lock = LOCK.read_text()
    if "://" in lock:
        sys.stderr.write("requirements.lock holds an address; write it anew with `make lock`\n")
        return 1
    if f"{MARK}{inputs_digest()}" not in lock:
        sys.stderr.write("requirements.lock is stale: its inputs changed; write it anew with `make lock`\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
