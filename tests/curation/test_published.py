"""Which world a run was in: said of what measured, and of what has a say, never of what merely could have."""

import dataclasses
from importlib.util import find_spec

import pytest

from curation.accounting.networks import NETWORKS, World, lacks, note, noted, world_of
from curation.decide.odds import Odds
from curation.decide.policy import Policy
from curation.encoders.settings import ImageModel, SemanticSettings
from shards.weights import add_local, known

EVERY = ("CLIP", "CLAP", "PE-AV", "Synchformer")
SIGNAL = ["motion", "loudness", "sync"]


def world(scores, policy=None, **semantics):
    return world_of(scores, policy or Policy(), SemanticSettings(**semantics))


def test_a_run_without_networks_was_decided_by_signal_scores_alone():
    found = world(SIGNAL)
    assert found == World((), ())
    assert found.told.startswith("This run was decided by signal scores alone: no published network")
    assert all(name in found.told for name in EVERY)


def test_networks_that_only_measured_are_not_said_to_have_decided():
    found = world([*SIGNAL, *NETWORKS])
    assert found == World(EVERY, ())
    assert "measured by published networks (CLIP, CLAP, PE-AV, Synchformer), and decided by signal" in found.told


def test_networks_decide_where_the_policy_weighs_their_columns():
    policy = Policy(weights={"p_in_sync": 1.0, "synchformer_p_in_sync": 2.0, "image_text_min": 0.0})
    policy = policy.model_copy(update={"meaning": Odds(weights={"picture_sound": 1.0}, accept_at=0.9, review_at=0.1)})
    found = world([*SIGNAL, *NETWORKS], policy)
    assert found == World(EVERY, ("PE-AV", "Synchformer"))
    assert found.told == (
        "This run was decided by published networks: PE-AV, Synchformer, beside signal scores. "
        "Measured, and without a say: CLIP, CLAP."
    )
    assert world(SIGNAL, policy) == World((), ()), "what did not look decides nothing, whatever its weight"


def test_a_bound_is_a_say_too():
    assert world(["clip", "clap"], Policy(min_audio_text=0.2)).deciding == ("CLAP",)


def test_another_picture_model_is_not_called_clip():
    assert world(["clip", "sync"], image_model=ImageModel.OFFLINE) == World((), ())


def test_the_last_run_is_noted_and_a_damaged_note_is_none(tmp_path):
    assert noted(tmp_path) is None
    note(tmp_path, World(EVERY, ("CLIP",)))
    assert noted(tmp_path) == World(EVERY, ("CLIP",))
    (tmp_path / "last_run.json").write_text("[]")
    assert noted(tmp_path) is None


def bytes_of(file):
    return f"bytes of {file}".encode()


@pytest.fixture
def unpinned(tmp_path, monkeypatch):
    """All sets as they are, but of whatever bytes; how to add one."""
    monkeypatch.setenv("CLAPBOARD_WEIGHTS", str(tmp_path / "weights"))
    free = [
        dataclasses.replace(one, files=tuple(dataclasses.replace(file, sha256=None) for file in one.files))
        for one in known()
    ]
    monkeypatch.setattr("shards.weights.KNOWN", tuple(free))

    def add(name):
        folder = tmp_path / "mine" / name
        folder.mkdir(parents=True)
        for file in next(one for one in free if one.name == name).files:
            plain = file.name.replace("*.pt*", "any.pt").replace("model*", "model.safetensors")
            (folder / plain).write_bytes(bytes_of(plain))
        add_local(name, folder)

    return add


def test_every_lack_comes_with_the_command_that_mends_it(unpinned):
    wanted = ["clip", "clap", "pe-av", "synchformer", "synchformer_synchronisable"]
    assert [lack.remedy for lack in lacks()] == [f"clapboard weights fetch {name}" for name in wanted]
    unpinned("synchformer")
    unpinned("pe-av")
    assert [lack.remedy.rpartition(" ")[2] for lack in lacks()] == ["clip", "clap", "synchformer_synchronisable"]


@pytest.mark.skipif(find_spec("laion_clap") is None, reason="laion_clap is not built for this Python")
def test_nothing_lacks_once_all_weights_are_here(unpinned):
    for name in ("clip", "clap", "pe-av", "synchformer", "synchformer_synchronisable"):
        assert lacks()
        unpinned(name)
    assert lacks() == []
