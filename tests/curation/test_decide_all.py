"""Deciding a whole ledger: the same as deciding window by window, and the same again; on both databases."""

import random

from sqlalchemy import select

from bench.ledger import fill
from curation.accounting.explain import explain
from curation.accounting.funnel import funnel
from curation.decide.apply import Merging, decide_all
from curation.decide.policy import Band, Policy, decide
from curation.ledger.tables import ClipRow, DecisionRow, ScoreRow, WindowRow


def decided(ledger, policy, **options):
    return decide_all(ledger, policy, Merging(**{"max_clip_us": 10_000_000, "audit_share": 0.2} | options))


def clips_in(session):
    return {
        clip.id: (clip.start_us, clip.end_us, clip.band, clip.audit, clip.p_good)
        for clip in session.scalars(select(ClipRow).where(ClipRow.current))
    }


def test_every_window_gets_what_the_policy_says_of_its_scores(any_ledger):
    fill(any_ledger, 500)
    policy = Policy(accept_at=0.8, review_at=0.3)
    counts = decided(any_ledger, policy)
    with any_ledger.session() as session:
        windows = session.scalars(select(WindowRow)).all()
        for window in windows:
            columns = {}
            for score in session.scalars(select(ScoreRow).where(ScoreRow.window_id == window.id)):
                columns |= score.columns
            wanted = decide(columns, policy, crosses_cut=window.crosses_cut)
            row = session.get_one(DecisionRow, window.id)
            assert (row.band, row.reasons, row.p_good) == (wanted.band, list(wanted.reasons), wanted.p_good)
        assert sum(counts.windows.values()) == len(windows) == 500
        assert min(counts.windows.values()) > 0


def test_deciding_again_changes_nothing_and_another_policy_changes_clips(any_ledger):
    fill(any_ledger, 300)
    decided(any_ledger, Policy())
    with any_ledger.session() as session:
        before = clips_in(session)
    decided(any_ledger, Policy())
    with any_ledger.session() as session:
        assert clips_in(session) == before
    decided(any_ledger, Policy(accept_all=True))
    with any_ledger.session() as session:
        after = clips_in(session)
        assert after.keys() != before.keys()
        assert {band for _, _, band, _, _ in after.values()} == {Band.ACCEPT}


def test_what_was_cut_stays_cut(any_ledger):
    fill(any_ledger, 100)
    decided(any_ledger, Policy())
    with any_ledger.session() as session:
        chosen = session.scalars(select(ClipRow)).first()
        chosen.cut, key = "ok", chosen.id
    decided(any_ledger, Policy())
    with any_ledger.session() as session:
        assert session.get_one(ClipRow, key).cut == "ok"


def test_a_cap_keeps_the_best_clips_of_each_video(any_ledger):
    fill(any_ledger, 1000)
    decided(any_ledger, Policy(accept_at=0.5))
    with any_ledger.session() as session:
        everything = list(session.scalars(select(ClipRow).where(ClipRow.current, ClipRow.band == "accept")))
        best = {}
        for clip in everything:
            best[clip.video_id] = max(best.get(clip.video_id, 0), clip.p_good)
        assert len(everything) > len(best)
    decided(any_ledger, Policy(accept_at=0.5), max_clips_per_video=1)
    with any_ledger.session() as session:
        kept = list(session.scalars(select(ClipRow).where(ClipRow.current, ClipRow.band == "accept")))
        assert {clip.video_id: clip.p_good for clip in kept} == best


def test_the_funnel_of_a_decided_ledger_adds_up(any_ledger):
    fill(any_ledger, 500)
    decided(any_ledger, Policy())
    stages = {stage.name: stage for stage in funnel(any_ledger)}
    assert all(stage.adds_up for stage in stages.values())
    assert stages["windows decided"].entered == 500
    assert stages["clips merged"].entered == stages["clips without a better copy"].outcomes["ok"] > 0


def test_an_item_is_found_by_link_by_id_and_by_the_start_of_an_id(any_ledger):
    fill(any_ledger, 100)
    decided(any_ledger, Policy(accept_all=True))
    with any_ledger.session() as session:
        clips = session.execute(select(ClipRow.id, ClipRow.video_id).order_by(ClipRow.id)).all()
    clip_id, video_id = random.Random(1).choice(clips)
    for name in (clip_id, video_id, clip_id[:12], video_id[:12]):
        story = explain(any_ledger, name)
        assert story["video_id"] == video_id
    assert explain(any_ledger, story["link"])["windows"] == story["windows"]
    assert len(story["windows"]) == 50
    assert story["windows"][0]["scores"]["p_in_sync"] > 0
