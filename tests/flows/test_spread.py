"""One curation by many: machines with homes of their own, runs on workers, processes of a Ray cluster.

Whoever does it, each video is worked on once and the snapshot has the same bytes.
"""

import json
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text

from bench.postgres import binaries, postgres_server
from curation.fetch.settings import FetchSettings
from curation.settings.recipe import Recipe
from tests.operating import CLAPBOARD, Running
from training.world import FilmSpec, draw, write_film

pytestmark = pytest.mark.slow

FILMS = 6


@pytest.fixture(scope="session")
def films(tmp_path_factory):
    folder = tmp_path_factory.mktemp("films")
    for number in range(FILMS):
        write_film(draw(FilmSpec(scene="playing_drum", seed=number, duration_s=4.0)), folder / f"{number}.mp4")
    return folder


@pytest.fixture(scope="session")
def recipe(tmp_path_factory):
    path = tmp_path_factory.mktemp("recipe") / "quick.yaml"
    path.write_text("scores: [motion, loudness, sync]\noptional_scores: []\npolicy: {accept_all: true}\n")
    return path


def plain(**more: str) -> dict[str, str]:
    ours = ("PREFECT_", "CLAPBOARD_LEDGER", "CLAPBOARD_SNAPSHOTS", "CLAPBOARD_CUTS", "CLAPBOARD_HOME")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)} | more


def curating(
    home: Path, films: Path, recipe: Path, *more: str, server: Running, **environment: str
) -> subprocess.Popen[str]:
    command = [*CLAPBOARD, "curate", str(films), "--recipe", str(recipe), "--home", str(home), "--json", *more]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, text=True, env=plain(PREFECT_API_URL=server.url, **environment), **pipes)


def summary(process: subprocess.Popen[str]) -> dict:
    said, told = process.communicate(timeout=300)
    assert process.returncode == 0, told[-3000:]
    return json.loads(said[said.index("{") :])


def published(home: Path) -> dict[str, bytes]:
    snapshots = home / "snapshots"
    return {str(path.relative_to(snapshots)): path.read_bytes() for path in snapshots.rglob("*") if path.is_file()}


@pytest.fixture(scope="session")
def by_threads(films, recipe, tmp_path_factory, running):
    """What one run publishes alone."""
    home = tmp_path_factory.mktemp("alone") / "home"
    assert summary(curating(home, films, recipe, server=running))["measured"] == FILMS
    return published(home)


@pytest.mark.timeout(300)
@pytest.mark.usefixtures("object_store")
def test_two_machines_share_one_list_and_publish_it_once(films, recipe, tmp_path, bucket, by_threads, running):
    if binaries() is None:
        pytest.skip("PostgreSQL is not installed (no initdb)")
    with postgres_server() as url:
        engine = create_engine(url, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text("CREATE DATABASE ledger"))
        engine.dispose()
        shared = {
            "CLAPBOARD_LEDGER": make_url(url).set(database="ledger").render_as_string(hide_password=False),
            "CLAPBOARD_SNAPSHOTS": f"{bucket}/snapshots",
            "CLAPBOARD_CUTS": f"{bucket}/cuts",
        }
        machines = [curating(tmp_path / name, films, recipe, server=running, **shared) for name in ("one", "other")]
        found = [summary(machine) for machine in machines]
    assert sum(one["measured"] for one in found) == FILMS
    assert [one["snapshot"] for one in found] == ["auto/v1", "auto/v1"]
    assert sorted(one["fresh_snapshot"] for one in found) == [False, True]
    import s3fs

    files = s3fs.S3FileSystem()
    there = files.glob(f"{bucket}/snapshots/auto/v*/index.parquet")
    assert len(there) == 1
    # An object store's shards have other names, so the clips themselves are compared.
    assert len(files.glob(f"{bucket}/cuts/*/*.mp4")) == sum(name.endswith(".tar") for name in by_threads) * FILMS


@pytest.mark.timeout(300)
def test_runs_on_workers_publish_what_one_run_does(films, recipe, tmp_path, by_threads, running):
    home = tmp_path / "home"
    found = summary(curating(home, films, recipe, "--spread", "2", server=running))
    assert found["measured"] == FILMS and published(home) == by_threads


@pytest.fixture
def ray_starts():
    """Ray itself wants shared memory and ports that not every machine gives."""
    pytest.importorskip("prefect_ray", reason="the extra `ray` is not installed")
    tried = "import ray; ray.init(num_cpus=1, include_dashboard=False); ray.shutdown()"
    with suppress(subprocess.TimeoutExpired):
        if subprocess.run([sys.executable, "-c", tried], capture_output=True, timeout=100, check=False).returncode == 0:
            return
    pytest.skip("Ray does not start on this machine")


@pytest.mark.timeout(300)
@pytest.mark.usefixtures("ray_starts")
def test_processes_of_a_ray_cluster_publish_what_one_run_does(films, recipe, tmp_path, by_threads, running):
    home = tmp_path / "home"
    found = summary(curating(home, films, recipe, "--ray", "local", "--spread", "2", server=running))
    assert found["measured"] == FILMS and published(home) == by_threads


def test_shares_ask_no_more_of_a_host_than_one_run_would():
    from flows.spread import divided

    recipe = Recipe(fetch=FetchSettings(videos_per_hour=100, pause_s=2))
    share = divided(recipe, 4)
    assert (share.fetch.videos_per_hour, share.fetch.pause_s) == (25, 8) and share.cut == recipe.cut
