"""Windows in columns are the windows that they would be as objects."""

import numpy as np
import pyarrow as pa
import pytest

from training.cache.build import windows_of
from training.data.entries import Entries, Entry
from training.settings.config import WindowConfig


@pytest.fixture
def entries() -> Entries:
    clips = pa.table(
        {
            "key": ["a", "b", "c"],
            "video_id": ["v2", "v1", "v2"],
            "caption": ["a drum", None, ""],
            "label": ["drum", "bell", None],
            "start_us": [0, 500_000, 0],
            "end_us": [3_000_000, 1_500_000, 10_000_000],
        }
    )
    return windows_of(clips, WindowConfig(stride_s=0.5, per_clip=3), duration_s=2.0)


def test_each_clip_has_its_windows_in_order(entries):
    assert list(entries) == [
        Entry("a-0", "a", 0, "v2", "a drum", "drum", 0),
        Entry("a-1", "a", 0, "v2", "a drum", "drum", 500_000),
        Entry("a-2", "a", 0, "v2", "a drum", "drum", 1_000_000),
        Entry("b-0", "b", 1, "v1", "bell", "bell", 0),
        Entry("c-0", "c", 2, "v2", "", "", 0),
        Entry("c-1", "c", 2, "v2", "", "", 4_000_000),
        Entry("c-2", "c", 2, "v2", "", "", 8_000_000),
    ]
    assert [entry.key for entry in entries[2:4]] == ["a-2", "b-0"]


def test_classes_and_videos_are_known_by_window(entries):
    codes, names = entries.labels()
    assert [names[code] for code in codes] == ["drum"] * 3 + ["bell"] + [""] * 3 and names == sorted(names)
    assert entries.video_ids() == ["v1", "v2"]
    some = entries.take(~entries.of_videos({"v2"}))
    assert [entry.key for entry in some] == ["b-0"] and some.video_ids() == ["v1"]


def test_their_digest_follows_clips_and_windows(entries):
    assert entries == entries.take(np.ones(len(entries), bool))
    assert entries != entries[1:]
    assert (
        entries.digest()
        != windows_of(
            entries.clips.append_column("start_us", pa.array([0, 0, 0])).append_column("end_us", pa.array([1, 2, 3])),
            WindowConfig(),
            duration_s=2.0,
        ).digest()
    )
