"""The command line: quick to start, errors are sentences, JSON is only JSON, the README names what there is."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from typer.main import get_command
from typer.testing import CliRunner

from flows.cli.app import app
from tests.calling import call

ROOT = Path(__file__).resolve().parent.parent.parent
HEAVY = {"torch", "prefect", "av", "sqlalchemy", "diffusers", "transformers", "numpy", "pyarrow", "fastapi", "yaml"}
NETWORKS = {"torch", "torchvision", "diffusers", "transformers", "open_clip", "laion_clap", "timm"}


def commands() -> list[tuple[str, ...]]:
    found = []
    for name, command in get_command(app).commands.items():
        below = getattr(command, "commands", None)
        found += [(name, sub) for sub in below] if below else [(name,)]
    return found


def clapboard(*arguments: str) -> subprocess.CompletedProcess[str]:
    program = [sys.executable, "-c", "from flows.cli import main; main()"]
    return subprocess.run([*program, *arguments], capture_output=True, text=True, timeout=120)


def test_the_command_tree_imports_nothing_heavy():
    code = f"import flows.cli.app, sys; print(sorted({HEAVY!r} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"


def test_what_is_deployed_imports_no_networks():
    """Deploying imports every flow, and a worker imports the flow of each run."""
    listed = yaml.safe_load((ROOT / "prefect.yaml").read_text(encoding="utf-8"))["deployments"]
    modules = sorted({one["entrypoint"].rpartition(".")[0] for one in listed})
    assert len(modules) >= 6
    code = f"import {', '.join(modules)}, sys; print(sorted({NETWORKS!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr


@pytest.mark.parametrize("command", commands(), ids=" ".join)
def test_every_command_explains_itself(command):
    shown = CliRunner().invoke(app, [*command, "--help"])
    assert shown.exit_code == 0
    assert "Usage" in shown.output


def test_the_readme_names_every_command():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    table = readme[readme.index("## Commands") : readme.index("## On a schedule")]
    named = set(re.findall(r"\b[a-z]+\b", " ".join(re.findall(r"`([^`]+)`", table))))
    assert {word for command in commands() for word in command} <= named


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["curate", "nowhere.csv"], 2, "nowhere.csv"),
        (["snapshot", "show", "auto"], 4, "there is no snapshot 'auto'"),
        (["train", "--stage", "1", "--set", "nonsense=1", "--dry-run"], 2, "nonsense"),
        (["score", "--scores", "magic", "x.mp4"], 2, "there is no score 'magic'"),
    ],
    ids=lambda given: given[0] if isinstance(given, list) else "",
)
def test_an_error_is_a_sentence_with_a_remedy_and_a_code_of_its_own(
    capfd, monkeypatch, tmp_path, arguments, code, words
):
    monkeypatch.setenv("CLAPBOARD_HOME", str(tmp_path))
    ended, _, told = call(capfd, *arguments)
    assert ended == code, told
    assert words in told
    assert "mend:" in told
    assert "Traceback" not in told
    assert not any(tmp_path.iterdir()), "a slip leaves nothing, least of all a server's database"


def test_a_process_ends_with_the_code_of_its_error(tmp_path):
    done = clapboard("snapshot", "show", "auto", "--home", str(tmp_path))
    assert (done.returncode, done.stdout) == (4, "") and "Traceback" not in done.stderr


def test_json_output_is_json_alone(capfd, tmp_path):
    (tmp_path / "page.mp4").write_text("<html>")
    done = clapboard("score", str(tmp_path / "page.mp4"), "--json")
    assert json.loads(done.stdout)["outcome"] == "not_a_video"
    ended, said, _ = call(capfd, "train", "--stage", "1", "--dry-run", "--json")
    facts = json.loads(said)
    share = facts["trainable_parameters"] / (facts["trainable_parameters"] + facts["backbone_parameters"])
    assert ended == 0 and 0.005 < share <= 0.019


def test_the_wheel_carries_presets_pages_and_migrations(tmp_path):
    import zipfile

    build = [sys.executable, "-m", "uv", "build", "--wheel", "--no-build-isolation", "--python", sys.executable]
    subprocess.run([*build, "--out-dir", str(tmp_path)], cwd=ROOT, check=True, capture_output=True, timeout=120)
    names = set(zipfile.ZipFile(next(tmp_path.glob("*.whl"))).namelist())
    assert {
        "flows/recipes/demo.yaml",
        "flows/prefect.yaml",
        "flows/report/templates/report.html.j2",
        "curation/review/static/review.js",
        "shards/templates/card.md.j2",
        "curation/ledger/migrations/versions/0001_the_first_tables.py",
    } <= names
    assert not any(name.startswith(("tests/", "tools/")) or name.startswith("bench/results") for name in names)
