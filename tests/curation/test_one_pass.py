"""One pass: videos come, are measured and cut, and leave the disk; what leaves is fetched again once it is needed."""

import threading
from pathlib import Path

import pytest
from sqlalchemy import select, update

from curation.decide.apply import Merging, decide_all
from curation.encoders.semantics import Semantics
from curation.fetch.settings import FetchSettings
from curation.home.cutting import Span, cut_files, cut_span
from curation.home.folder import Home
from curation.home.store import GIB, Keep, NoRoom, Room, StoreSettings
from curation.home.takedown import forget_here, take_down
from curation.ledger.tables import ClipRow, DecisionRow, Video, WindowRow
from curation.outcomes import Outcome
from curation.review.answers import Answer, answer
from curation.review.queue import enrol
from curation.scores.registry import build
from curation.settings.recipe import Recipe
from curation.sources.base import SourceRow
from curation.steps.due import count_of, is_due, to_fetch, to_measure
from curation.steps.ingest import register
from curation.steps.one_pass import Claims, OnePass, Worked
from curation.steps.politeness import governor_of
from curation.steps.publish import Selection, publish_selection
from curation.steps.release import release_all
from curation.verdicts.answers import RejectReason, Verdict
from tests.curation import fetch_server as web
from training.world import FilmSpec, draw, write_film

FILMS = 3


@pytest.fixture(scope="session")
def films(tmp_path_factory):
    folder = tmp_path_factory.mktemp("films")
    for number in range(FILMS):
        write_film(draw(FilmSpec(scene="playing_drum", seed=number, duration_s=4.0)), folder / f"{number}.mp4")
    return [(folder / f"{number}.mp4").read_bytes() for number in range(FILMS)]


@pytest.fixture
def server():
    with web.serve() as running:
        yield running


@pytest.fixture
def links(server, films):
    return [server.link(f"/{number}.mp4", web.body(film)) for number, film in enumerate(films)]


@pytest.fixture
def recipe():
    given = Recipe(fetch=FetchSettings(allow_loopback=True, retries=0), scores=["motion", "loudness", "sync"])
    policy = given.policy.model_copy(update={"accept_all": True})
    review = given.review.model_copy(update={"audit_share": 0.0})
    return given.model_copy(update={"optional_scores": [], "policy": policy, "review": review})


def kept(recipe, keep, **more):
    return recipe.model_copy(update={"store": StoreSettings(keep=keep, **more)})


def listed(ledger, links):
    facts = {"path": None, "start_us": None, "end_us": None, "caption": "", "label": "", "licence": ""}
    register(ledger, [SourceRow(link=link, table="t.csv", row=row, **facts) for row, link in enumerate(links)])


def one_pass(ledger, home, recipe, workers, **more):
    scores = build(recipe.scores)
    whole = OnePass(
        home, recipe, policy=recipe.policy, scores=scores, semantics=Semantics(recipe.semantics), workers=workers,
        governor=governor_of(ledger, recipe.fetch), **more,
    )  # fmt: skip
    told: list[Outcome] = []
    worked = whole.work(
        Claims(ledger, is_due(scores, recipe), holder="me"), most=99, told=lambda _, outcome: told.append(outcome)
    )
    return whole, worked, told


def here(home):
    return sorted(path.name for path in home.videos.glob("*.mp4"))


@pytest.fixture
def at(tmp_path, empty_ledger, monkeypatch):
    monkeypatch.delenv("CLAPBOARD_CUTS", raising=False)
    return empty_ledger, Home(tmp_path)


def test_a_pass_does_what_is_due_once(at, recipe, links, media_workers):
    ledger, home = at
    listed(ledger, [*links, "http://127.0.0.1:9/nobody.mp4"])
    _, worked, told = one_pass(ledger, home, recipe, media_workers)
    assert worked == Worked(fetched=FILMS, measured=FILMS)
    assert sorted(told) == sorted([*[Outcome.OK] * FILMS, Outcome.UNREACHABLE])
    assert len(here(home)) == FILMS
    # Only whoever is not reached is still due; and nothing is claimed any more.
    assert count_of(ledger, to_measure(build(recipe.scores), recipe)) == 0
    assert count_of(ledger, to_fetch()) == 1 and count_of(ledger, Video.leased_to.is_not(None)) == 0
    with ledger.session() as session:
        assert session.scalar(select(DecisionRow)) is None and session.scalar(select(WindowRow)) is not None


def test_what_is_decided_and_cut_leaves_and_is_fetched_again_for_another_cut(at, server, recipe, links, media_workers):
    ledger, home = at
    listed(ledger, links)
    recipe = kept(recipe, Keep.UNTIL_DECIDED)
    whole, worked, _ = one_pass(ledger, home, recipe, media_workers)
    assert worked.measured == FILMS and here(home) == []
    with ledger.session() as session:
        clips = session.scalars(select(ClipRow)).all()
        assert clips and {clip.cut for clip in clips} == {"ok"}
        assert all(cut_files(home, Span.of(clip), recipe.cut).there for clip in clips)
    asked = len(server.asked)
    # All that comes later finds its cuts, and asks no site again.
    decide_all(ledger, recipe.policy, Merging(max_clip_us=10_000_000, audit_share=0))
    options = {"home": home, "workers": media_workers, "bring": whole.bring(ledger)}
    first = publish_selection(ledger, Selection.AUTO, recipe=recipe, **options)
    assert first.snapshot.manifest["counts"]["clips"] == len(clips) and len(server.asked) == asked
    assert one_pass(ledger, home, recipe, media_workers)[1] == Worked()
    # Another setting of the cutter needs the pictures.
    smaller = recipe.model_copy(update={"cut": recipe.cut.model_copy(update={"crf": 30})})
    second = publish_selection(ledger, Selection.AUTO, recipe=smaller, **options)
    assert second.fresh and len(server.asked) > asked and len(here(home)) == FILMS
    assert release_all(ledger, home, holder="me") > 0 and here(home) == []


def test_a_clip_is_the_same_whether_its_file_left_or_not(tmp_path, recipe, links, media_workers, monkeypatch):
    monkeypatch.delenv("CLAPBOARD_LEDGER", raising=False)
    found = []
    for keep in Keep:
        home, chosen = Home(tmp_path / keep), kept(recipe, keep)
        with home.ledger() as ledger:
            listed(ledger, links)
            whole, _, _ = one_pass(ledger, home, chosen, media_workers)
            decide_all(ledger, chosen.policy, Merging(max_clip_us=10_000_000, audit_share=0))
            bring = whole.bring(ledger)
            done = publish_selection(
                ledger, Selection.AUTO, home=home, recipe=chosen, workers=media_workers, bring=bring
            )
            found.append({path.name: path.read_bytes() for path in done.snapshot.path.iterdir()})
            assert len(here(home)) == (0 if keep is Keep.UNTIL_DECIDED else FILMS)
            if keep is Keep.UNTIL_PUBLISHED:
                assert release_all(ledger, home, holder="me") and here(home) == []
    assert found[0] == found[1] == found[2]


def test_a_removed_video_that_is_needed_again_is_a_typed_loss(at, server, recipe, links, media_workers):
    ledger, home = at
    listed(ledger, links[:1])
    recipe = kept(recipe, Keep.UNTIL_DECIDED)
    whole, _, _ = one_pass(ledger, home, recipe, media_workers)
    server.link("/0.mp4", web.status(404))
    with ledger.session() as session:
        span = Span.of(session.scalars(select(ClipRow).limit(1)).one())
    other = recipe.cut.model_copy(update={"crf": 30})
    cutting = {"home": home, "settings": other, "cutter": media_workers.cut}
    assert cut_span(ledger, span, bring=whole.bring(ledger), **cutting) is Outcome.NOT_FOUND
    # What was cut before is still there.
    assert cut_files(home, span, recipe.cut).there


def test_a_file_that_people_are_asked_about_stays_until_they_answered(at, recipe, links, media_workers):
    ledger, home = at
    listed(ledger, links)
    policy = recipe.policy.model_copy(update={"accept_all": False, "accept_at": 1.0, "review_at": 0.0})
    recipe = kept(recipe.model_copy(update={"policy": policy}), Keep.UNTIL_DECIDED)
    _, worked, _ = one_pass(ledger, home, recipe, media_workers)
    with ledger.session() as session:
        flagged = session.scalars(select(ClipRow.id).where(ClipRow.band == "review", ClipRow.current)).all()
        videos = set(session.scalars(select(ClipRow.video_id).where(ClipRow.id.in_(flagged))))
    assert worked.measured == FILMS and flagged and len(here(home)) == len(videos)
    decide_all(ledger, policy, Merging(max_clip_us=10_000_000, audit_share=0))
    enrol(ledger, recipe.review)
    assert release_all(ledger, home, holder="me") == 0
    for number, clip in enumerate(flagged):
        verdict, reason = (Verdict.REJECT, RejectReason.NOT_SYNCHRONISED) if number else (Verdict.ACCEPT, None)
        answer(ledger, Answer(clip, verdict, "ann", reason), recipe.review)
    with ledger.session() as session:
        accepted = session.get_one(ClipRow, flagged[0]).video_id
    # What was accepted is cut by the next publication, as people left it.
    release_all(ledger, home, holder="me")
    assert here(home) == [f"{accepted}.mp4"]
    publish_selection(ledger, Selection.CURATED, home=home, recipe=recipe, workers=media_workers)
    release_all(ledger, home, holder="me")
    assert here(home) == []


def test_a_limit_is_kept_by_files_that_leave(at, recipe, links, films, media_workers, monkeypatch):
    ledger, home = at
    listed(ledger, links)
    limit = max(map(len, films)) / GIB
    most = []
    came = Room.came

    def watched(self, size):
        came(self, size)
        most.append(sum(path.stat().st_size for path in home.videos.glob("*.mp4")))

    monkeypatch.setattr(Room, "came", watched)
    _, worked, _ = one_pass(ledger, home, kept(recipe, Keep.UNTIL_DECIDED, max_gib=limit), media_workers)
    assert worked == Worked(fetched=FILMS, measured=FILMS)
    assert max(most) <= 2 * limit * GIB and here(home) == []


def test_a_limit_that_nothing_can_be_done_about_ends_the_fetching_and_is_said(at, recipe, links, films, media_workers):
    ledger, home = at
    listed(ledger, links)
    recipe = kept(recipe, Keep.ALWAYS, max_gib=1 / GIB)
    _, worked, told = one_pass(ledger, home, recipe, media_workers)
    assert 1 <= worked.fetched == worked.measured < FILMS and "they may" in worked.no_room, told
    # The rest is neither lost nor marked as failed.
    assert count_of(ledger, to_fetch()) == FILMS - worked.fetched
    _, later, _ = one_pass(ledger, home, kept(recipe, Keep.ALWAYS), media_workers)
    assert later == Worked(fetched=FILMS - worked.fetched, measured=FILMS - worked.fetched)


def test_a_disk_that_is_nearly_full_is_left_alone(tmp_path):
    room = Room(Home(tmp_path), StoreSettings(min_free_gib=1e9))
    with pytest.raises(NoRoom, match="are to stay free"):
        room.enter()


def test_whoever_comes_to_a_full_room_waits_for_those_inside(tmp_path):
    home = Home(tmp_path)
    home.videos.mkdir(parents=True)
    room, entered = Room(home, StoreSettings(max_gib=4 / GIB)), threading.Event()
    first, second = room.enter(), []

    def come():
        second.append(room.enter())
        entered.set()

    thread = threading.Thread(target=come)
    thread.start()
    # How large a video is nobody knows yet; then, that it is too large for two.
    assert not entered.wait(0.2)
    first.came(5)
    assert not entered.wait(0.2)
    room.freed(5)
    assert entered.wait(10)
    thread.join()
    second[0].came(5)
    first.end()
    second[0].end()
    with pytest.raises(NoRoom):
        room.enter()


def test_a_run_that_ends_takes_no_further_video(at, recipe, links, media_workers):
    ledger, home = at
    listed(ledger, links)
    _, worked, told = one_pass(ledger, home, recipe, media_workers, stopped=lambda: True)
    assert worked == Worked() and told == [] and count_of(ledger, to_fetch()) == FILMS


@pytest.mark.parametrize("kind", ["folder", "bucket"])
def test_machines_with_homes_of_their_own_share_cuts(
    tmp_path, recipe, links, media_workers, monkeypatch, request, kind
):
    place = str(tmp_path / "cuts") if kind == "folder" else request.getfixturevalue("bucket")
    monkeypatch.setenv("CLAPBOARD_CUTS", place)
    monkeypatch.setenv("CLAPBOARD_LEDGER", f"sqlite:///{tmp_path}/ledger.sqlite")
    one, other = Home(tmp_path / "one"), Home(tmp_path / "other")
    with one.ledger() as ledger:
        listed(ledger, links)
        one_pass(ledger, one, recipe, media_workers)
        decide_all(ledger, recipe.policy, Merging(max_clip_us=10_000_000, audit_share=0))

        def never(video_id):
            pytest.fail(f"it fetches {video_id} again")

        for video in one.videos.iterdir():
            video.unlink()
        done = publish_selection(ledger, Selection.AUTO, home=other, recipe=recipe, workers=media_workers, bring=never)
        clips = done.snapshot.manifest["counts"]["clips"]
        assert clips >= FILMS and not other.videos.exists()
        with ledger.session() as session:
            video_id = session.scalars(select(ClipRow.video_id).limit(1)).one()
            its_clips = session.scalars(select(ClipRow.id).where(ClipRow.video_id == video_id)).all()
        shared = [path.name for path in other.shared_cuts.glob("*/*")]
        assert len(shared) == 3 * clips
        # A take-down reaches them too, and the other machine's home once that works again.
        assert cuts_in(one, its_clips)
        take_down(ledger, video_id, home=other, reason="asked by its owner")
        left = [path.name for path in other.shared_cuts.glob("*/*")]
        assert len(left) == 3 * (clips - len(its_clips))
        assert not any(name.startswith(tuple(its_clips)) for name in left)
        assert forget_here(ledger, home=one) == 3 * len(its_clips) and not cuts_in(one, its_clips)


def cuts_in(home, clip_ids):
    return [path for clip_id in clip_ids for path in home.cuts.glob(f"*/{clip_id}*")]


def test_a_take_down_in_the_middle_leaves_no_decision_behind(at, recipe, links, media_workers, monkeypatch):
    ledger, home = at
    listed(ledger, links[:1])
    with ledger.session() as session:
        video_id = session.scalars(select(Video.id)).one()
    analyse = media_workers.analyse

    def taken_down_meanwhile(path: Path, **options):
        line = analyse(path, **options)
        take_down(ledger, video_id, home=home, reason="asked by its owner")
        return line

    monkeypatch.setattr(media_workers, "analyse", taken_down_meanwhile)
    one_pass(ledger, home, kept(recipe, Keep.UNTIL_DECIDED), media_workers)
    with ledger.session() as session:
        assert session.scalars(select(ClipRow)).all() == [] and session.scalars(select(DecisionRow)).all() == []
    assert here(home) == []


def test_what_somebody_else_has_claimed_is_left_to_them(at, recipe, links, media_workers):
    ledger, home = at
    listed(ledger, links)
    with ledger.session() as session:
        first = session.scalars(select(Video.id).order_by(Video.id)).first()
        theirs = update(Video).where(Video.id == first)
        session.execute(theirs.values(leased_to="another", leased_until_ms=10**14))
    _, worked, _ = one_pass(ledger, home, recipe, media_workers)
    assert worked.measured == FILMS - 1 and f"{first}.mp4" not in here(home)
