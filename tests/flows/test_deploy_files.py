"""What lies in deploy/ parses, and every command that it gives exists with the options that it names."""

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from typer.main import get_command

from flows.cli.app import app

ROOT = Path(__file__).resolve().parent.parent.parent
DEPLOY = ROOT / "deploy"
UNITS = sorted(DEPLOY.rglob("*.service"))
YAMLS = sorted(DEPLOY.rglob("*.yaml"))
TYPED = re.compile(r"\bclapboard ((?:up|sources|review|doctor|down)\b[^)`]*)")


def commands_of(file: Path) -> list[list[str]]:
    """The command lines of Clapboard in a file: what it runs, and what its comments say to type."""
    text = file.read_text(encoding="utf-8")
    found = []
    if file in YAMLS:
        for document in yaml.safe_load_all(text):
            found += [one for one in lists_in(document) if one[0] == "clapboard"]
    else:
        found += [shlex.split(line) for line in re.findall(r"^ExecStart=(.*)$", text, re.MULTILINE)]
    for line in text.splitlines():
        if line.startswith("#") and (
            typed := re.search(r"\bclapboard ((?:up|sources|review|doctor|down)\b[^)`]*)", line)
        ):
            found.append(["clapboard", *shlex.split(typed[1])])
    return found


def lists_in(node: object):
    """All lists of words in a document."""
    if isinstance(node, list) and node and all(isinstance(one, str) for one in node):
        yield node
    for below in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from lists_in(below)


def parse(words: list[str]) -> None:
    """As the command line does, up to the work itself."""
    command = get_command(app)
    while below := getattr(command, "commands", None):
        assert words and words[0] in below, f"there is no command {words}"
        command, words = below[words[0]], words[1:]
    command.make_context(command.name, list(words))


@pytest.mark.parametrize("file", [*UNITS, *YAMLS], ids=lambda file: str(file.relative_to(DEPLOY)))
def test_every_command_exists_with_these_options(file, monkeypatch):
    monkeypatch.setenv("CLAPBOARD_PASSWORD", "else it would be asked for")
    commands = commands_of(file)
    assert commands
    for _, *words in commands:
        parse(words)


@pytest.mark.parametrize("unit", UNITS, ids=lambda file: str(file.relative_to(DEPLOY)))
def test_systemd_takes_the_units(unit, tmp_path, monkeypatch):
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd-analyze is not here")
    # It also looks whether the program is there, which depends on the machine.
    there = re.sub(r"^(ExecStart=)\S+", r"\1/bin/true", unit.read_text(encoding="utf-8"), flags=re.MULTILINE)
    (tmp_path / unit.name).write_text(there)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    how = ["--user"] if "user" in unit.parts else []
    done = subprocess.run(
        ["systemd-analyze", *how, "verify", str(tmp_path / unit.name)], capture_output=True, text=True, timeout=60
    )
    if "Failed to initialize manager" in done.stderr:
        pytest.skip("there is no systemd to ask in this container")
    assert done.returncode == 0 and unit.name not in done.stderr, done.stderr


def test_the_parts_of_compose_share_what_they_must_and_wait_for_each_other():
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
    services, volumes = compose["services"], compose["volumes"]
    ours = {name: one for name, one in services.items() if one["image"] == "clapboard"}
    assert set(ours) == {"bucket", "server", "workers", "review"}
    ledgers = {one["environment"]["CLAPBOARD_LEDGER"] for one in ours.values()}
    snapshots = {one["environment"]["CLAPBOARD_SNAPSHOTS"] for one in ours.values()}
    assert len(ledgers) == len(snapshots) == 1
    for name, one in services.items():
        assert set(one.get("depends_on", ())) <= set(services), name
        assert {volume.partition(":")[0] for volume in one["volumes"]} <= set(volumes), name
        assert all(port.startswith("127.0.0.1:") for port in one.get("ports", ())), "open to this machine alone"
    for name in ("workers", "review"):
        assert ours[name]["environment"]["PREFECT_API_URL"] == "http://server:4200/api"
    assert (DEPLOY / compose["x-clapboard"]["build"]["context"] / "deploy" / "Dockerfile").is_file()


def test_kubernetes_finds_what_it_refers_to():
    documents = list(yaml.safe_load_all((DEPLOY / "kubernetes" / "clapboard.yaml").read_text(encoding="utf-8")))
    documents += yaml.safe_load_all((DEPLOY / "kubernetes" / "train-job.yaml").read_text(encoding="utf-8"))
    claims = {one["metadata"]["name"] for one in documents if one["kind"] == "PersistentVolumeClaim"}
    pods = {
        one["metadata"]["labels"]["part"]: one["spec"]["template"] for one in documents if "template" in one["spec"]
    }
    assert set(pods) == {"server", "curation", "training", "review", "train-job"}
    for part, pod in pods.items():
        (container,) = pod["spec"]["containers"]
        volumes = {one["name"]: one for one in pod["spec"].get("volumes", ())}
        assert {one["name"] for one in container.get("volumeMounts", ())} == set(volumes)
        named = {one["persistentVolumeClaim"]["claimName"] for one in volumes.values() if "emptyDir" not in one}
        assert named <= claims and container["image"] == "clapboard"
        assert ("nvidia.com/gpu" in container["resources"]["limits"]) == (part in ("training", "train-job"))
        grace = dict(zip(container["command"], container["command"][1:], strict=False)).get("--grace", "4")
        assert pod["spec"]["terminationGracePeriodSeconds"] > float(grace) + 8, "it is killed before it has saved"
    for service in (one for one in documents if one["kind"] == "Service"):
        assert pods[service["spec"]["selector"]["part"]]["metadata"]["labels"] == service["spec"]["selector"]


def test_the_image_holds_every_package():
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    copied = {word for line in text.splitlines() if line.startswith("COPY") for word in line.split()[1:-1]}
    assert {"flows", "curation", "training", "shards", "bench", "recipes", "prefect.yaml", "pyproject.toml"} <= copied
    assert all((ROOT / one).exists() for one in copied)
    for line in re.findall(r"RUN sed -E '([^']+)'", text):
        lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
        done = subprocess.run(["sed", "-E", line], input=lock, capture_output=True, text=True, check=True)
        pins = [one for one in done.stdout.splitlines() if not one.lstrip().startswith("#")]
        assert len(pins) > 100 and all(re.match(r"^[\w.-]+==\S+( ; .+)?$", one) for one in pins)
