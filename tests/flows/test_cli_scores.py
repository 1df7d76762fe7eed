"""What `clapboard score` and `explain` say first."""

from flows.cli.scores import MOST_LINES, in_short, score_table

REGION = {"where_x": 0.0, "where_y": 0.0, "where_side": 0.25}
TIMED = REGION | {"p_in_sync": 0.82, "offset_s": 0.02, "offset_confidence": 0.8, "p_no_cues": 0.1, "sync_peak": 6.25}


def window(start_s, **scores):
    return {"start_s": start_s, "end_s": start_s + 3, "band": "reject", "scores": scores}


def test_the_table_leads_with_the_timing_in_words():
    still = {"p_in_sync": 0.0, "offset_s": 0.0, "offset_confidence": 0.0, "p_no_cues": 1.0}
    names, cells = score_table([
        {"file": "a.mp4", "motion": 0.5} | TIMED,
        {"file": "b.mp4"} | TIMED | {"p_in_sync": 0.4, "offset_confidence": 0.4},
        {"file": "c.mp4"} | still,
        {"file": "d.mp4", "outcome": "not_a_video"},
    ])  # fmt: skip
    assert names == ["file", "in sync", "timing", "heard at", "motion", "p_no_cues", "sync_peak", "outcome"]
    assert cells[0][:6] == ["a.mp4", "82 %", "sound is 20 ms late, 80 % sure", "top left", "0.500", "0.100"]
    assert [row[3] for row in cells] == ["top left", "top left?", "-", ""]
    assert cells[2][1:3] == ["0 %", "-"]
    assert cells[3] == ["d.mp4", "", "", "", "", "", "", "not_a_video"]


def test_other_scores_have_no_lead():
    assert score_table([{"file": "a.mp4", "motion": 0.5}]) == (["file", "motion"], [["a.mp4", "0.500"]])


def test_a_story_in_short_is_a_line_a_clip():
    clip = {"id": "c", "start_s": 0.0, "end_s": 4.5, "band": "accept", "current": True}
    story = {"clips": [clip, clip | {"id": "old", "current": False}], "windows": [window(0.0)]}
    lines = in_short(story, {"c": TIMED, "old": TIMED})
    assert lines == ["0:00.0 to 0:04.5: accept: 82 % in sync, heard at the top left"]


def test_without_clips_it_is_a_line_a_window_and_not_too_many():
    story = {"clips": [], "windows": [window(at, p_in_sync=0.1) for at in range(MOST_LINES + 2)]}
    lines = in_short(story, {})
    assert lines[0] == "0:00.0 to 0:03.0: reject: 10 % in sync"
    assert lines[-1] == "and 2 more" and len(lines) == MOST_LINES + 1
    assert in_short({"clips": [], "windows": []}, {}) == []
