"""A video's embeddings for the scores that ask for them: read if they were kept, else made and kept."""

import hashlib
from collections.abc import Set
from dataclasses import dataclass

from curation.encoders.semantics import Semantics
from curation.media.embeddings import EmbeddingStore, Track
from curation.media.settings import AnalysisSettings
from curation.media.timeline import Timeline
from curation.scores.base import Need

Tracks = dict[Need, Track]

DECODED = {Need.PICTURE_TRACK: Need.THUMBNAILS, Need.SOUND_TRACK: Need.WAVEFORM}
"""What has to be decoded to make a track."""


@dataclass(frozen=True, slots=True)
class TrackMaker:
    """Makes tracks by the recipe's models, and keeps them in the home."""

    store: EmbeddingStore
    semantics: Semantics
    analysis: AnalysisSettings

    def kept(self, video_id: str, needs: Set[Need]) -> Tracks:
        """Those of the tracks asked for that were made before."""
        found = {need: self.store.read(self._key(need), video_id) for need in DECODED if need in needs}
        return {need: track for need, track in found.items() if track is not None}

    def make(self, video_id: str, line: Timeline, needs: Set[Need]) -> Tracks:
        """Make and keep the tracks asked for."""
        made: Tracks = {}
        if Need.PICTURE_TRACK in needs:
            made[Need.PICTURE_TRACK] = self.semantics.picture_track(line)
        if Need.SOUND_TRACK in needs:
            made[Need.SOUND_TRACK] = self.semantics.sound_track(line)
        for need, track in made.items():
            self.store.write(self._key(need), video_id, track)
        return made

    def _key(self, need: Need) -> str:
        """The model, and what the analysis shows it."""
        of = self.semantics.picture_key if need is Need.PICTURE_TRACK else self.semantics.sound_key
        shown = hashlib.sha256(self.analysis.model_dump_json().encode()).hexdigest()[:8]
        return f"{of}-{shown}"
