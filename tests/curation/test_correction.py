"""A constant offset is found and mended; one that is not constant, not certain or not there is left alone."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from curation.decide.apply import Merging, decide_all
from curation.decide.correction import CorrectionSettings, constant_offset_s, corrected
from curation.decide.policy import Band, Policy, decide
from curation.ledger.tables import ClipRow, DecisionRow, ScoreRow, SourceEntry, Video, WindowRow
from curation.outcomes import Outcome

SETTINGS = CorrectionSettings()


def windows(offsets, *, confidence=0.95, repeats=0.3, alone=None):
    columns = [
        {
            "offset_s": late, "sync_peak": 4.0, "sync_at_zero": 0.1, "p_in_sync": 0.01, "offset_confidence": confidence,
            "window_offset_s": late if alone is None else alone, "window_sync": 0.2, "repeats": repeats,
            "local_motion": 0.05, "peak_amplitude": 0.5, "av_align": 0.1,
        }
        for late in offsets
    ]  # fmt: skip
    return columns, [(at * 500_000, at * 500_000 + 3_000_000) for at in range(len(offsets))]


@pytest.mark.parametrize("late", [0.3, -0.25, 0.06])
def test_finds_what_is_constant(late):
    assert constant_offset_s(*windows([late, late + 0.01, late - 0.01, late]), SETTINGS) == pytest.approx(
        late, abs=0.01
    )


@pytest.mark.parametrize(
    ("columns", "spans"),
    [
        windows([0.3]),
        windows([0.3, 0.3]),
        windows([0.3, -0.5, 0.7, 0.1, -0.2, 0.5]),
        windows([0.02] * 8),
        windows([0.3] * 8, confidence=0.5),
        windows([0.498] * 8, repeats=0.8),
        windows([0.3] * 8, alone=-0.4),
        ([{}] * 8, windows([0.0] * 8)[1]),
        ([], []),
    ],
    ids=[
        "one window",
        "too short a stretch",
        "it wanders",
        "too little",
        "not certain",
        "a beat's neighbour",
        "windows alone say otherwise",
        "not measured",
        "nothing",
    ],
)
def test_leaves_alone_what_is_not(columns, spans):
    assert constant_offset_s(columns, spans, SETTINGS) is None


def test_can_be_switched_off():
    assert constant_offset_s(*windows([0.3] * 8), CorrectionSettings(enabled=False)) is None


def test_a_late_window_is_accepted_once_it_is_moved():
    columns = windows([0.3])[0][0]
    assert decide(columns, Policy()).reasons == (Outcome.OFFSET,)
    moved = corrected(columns, 0.3, SETTINGS)
    decision = decide(moved, Policy(), offset_corrected=True)
    assert (decision.band, decision.reasons) == (Band.ACCEPT, (Outcome.OFFSET_CORRECTED,))
    assert moved["sync_at_zero"] == 4.0 and not {"av_align", "window_sync"} & moved.keys()


def test_a_window_that_disagrees_keeps_what_it_was():
    columns = windows([0.9])[0][0]
    assert corrected(columns, 0.3, SETTINGS) == columns
    assert corrected({}, 0.3, SETTINGS) == {}


@given(st.floats(-0.9, 0.9), st.lists(st.floats(-0.01, 0.01), min_size=4, max_size=12))
def test_never_moves_by_more_than_was_measured(late, wobble):
    found = constant_offset_s(*windows([late + one for one in wobble]), SETTINGS)
    assert found is None or np.isclose(found, late, atol=0.0101)


@pytest.mark.parametrize(("late", "start_us", "end_us"), [(-0.7, 1_000_000, 9_000_000), (0.7, 0, 8_000_000)])
def test_a_clip_ends_where_the_moved_sound_does(any_ledger, late, start_us, end_us):
    """At one end of the video the moved sound has nothing left: that would be silence in the data."""
    columns, spans = windows([late] * 13)
    with any_ledger.session() as session:
        session.add(Video(id="v", link="https://example.org/v", local=False, duration_us=9_000_000))
        session.flush()
        session.add(SourceEntry(
            id="row", table_name="t", row=0, video_id="v", caption="", label="", licence="", outcome="ok", detail="",
        ))  # fmt: skip
        session.flush()
        for at, (start, end) in enumerate(spans):
            session.add(WindowRow(
                id=f"w{at}", video_id="v", source_id="row", shot=0, start_us=start, end_us=end, crosses_cut=False,
            ))  # fmt: skip
            session.flush()
            session.add(ScoreRow(window_id=f"w{at}", name="sync", version=3, settings="", columns=columns[at]))
    decide_all(any_ledger, Policy(), Merging(max_clip_us=10_000_000, audit_share=0))
    with any_ledger.session() as session:
        (clip,) = session.scalars(select(ClipRow))
        assert (clip.start_us, clip.end_us) == (start_us, end_us)
        assert clip.sound_late_us == round(late * 1e6) and clip.reasons == ["offset_corrected"]
        outside = session.scalars(select(DecisionRow.reasons).where(DecisionRow.band == Band.REJECT)).all()
    assert len(outside) == 2 and all(reasons[0] == "sound_offset" for reasons in outside)
