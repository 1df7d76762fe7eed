"""What each column of the scores means and what it is worth, in a line each: a published data set tells its readers.

docs/scores.md is the long form; figures here stand there too.
"""

from shards.card import ColumnNote

_FILM = "34 filmed clips: AUC {} against a sound 0.3 s off, {} against another's; chance is 0.5"
_UNTRIED = "never run with the released weights by us"
_NONE = "tells nothing of synchrony"


COLUMNS: dict[str, ColumnNote] = {
    name: ColumnNote(means, worth)
    for name, means, worth in (
        ("motion_mean", "mean absolute RGB difference of ten frames, 0 to 1", f"flicker moves too; {_NONE}"),
        ("motion_max", "largest RGB difference of neighbours among ten frames, 0 to 1", f"flicker moves too; {_NONE}"),
        ("local_motion", "mean luma difference of the cell that moves most, beyond the median cell", _NONE),
        ("camera_motion", "median speed of the whole picture, in pictures a second", "what fills the picture counts"),
        ("peak_amplitude", "largest sample, 0 to 1", "a click in silence is loud"),
        ("silence_ratio", "share of 20 ms frames below -50 dBFS", "sparse events are mostly silent, and good"),
        ("rms_dbfs", "loudness of all of it, in dBFS", _NONE),
        ("missing_sound_s", "seconds for which the file has no sound", "recorded silence is sound"),
        ("frozen_s", "seconds that pictures stand for want of the next", "a variable rate on purpose looks the same"),
        ("smeared_s", "seconds of pictures that lean on lost or damaged ones", "losses below 0.25 s are not seen"),
        ("p_in_sync", "probability that picture and sound are within 60 ms of each other", _FILM.format(0.686, 0.622)),
        ("offset_s", "the likeliest offset in seconds, positive: the sound is late", "read with offset_confidence"),
        (
            "offset_confidence",
            "probability that the offset is within 60 ms of the likeliest",
            "of those above 0.6 on film 16.7 % were right",
        ),
        ("p_no_cues", "probability that no offset can be told", "foreign sound, or nothing to tell by"),
        ("sync_at_zero", "agreement at no offset, in deviations over chance", _FILM.format(0.701, 0.667)),
        ("sync_peak", "agreement at the likeliest offset, in deviations over chance", "as high for films out of sync"),
        ("window_sync", "agreement at no offset of three seconds alone", _FILM.format(0.535, 0.621)),
        ("window_offset_s", "the lag of most agreement of three seconds alone", "three seconds hold few events"),
        (
            "offset_before_s",
            "offset_s of the source, where the cut mended a constant offset",
            "null: nothing was mended",
        ),
        (
            "sync_before",
            "sync_at_zero of the source, where the cut mended a constant offset",
            "null: nothing was mended",
        ),
        ("repeats", "the sound's likeness to itself more than 0.15 s away, 0 to 1", "high: offsets cannot be told"),
        ("cues", "onsets a second that stand out", "how much there is to tell by"),
        ("where_x", "left of the region that agreed best, share of the width", "where a cause is likely"),
        ("where_y", "top of the region that agreed best, share of the height", "where a cause is likely"),
        ("where_side", "side of the region that agreed best, share of the picture", "where a cause is likely"),
        ("av_align", "AV-Align: intersection over union of peaks of motion and onsets", _FILM.format(0.562, 0.412)),
        ("unexplained_sound", "share of the sound's changes with no clear motion", _FILM.format(0.549, "0.550")),
        ("steady_tone", "share of energy that holds its tone, times how even it is", "music beds and machines"),
        ("unexplained_music", "the product of the two before", "tells music laid over (AUC 0.73), nothing else"),
        ("speech_presence", "share of 32 ms chunks that are likelier speech than not", "song is speech to it"),
        ("speech_mean", "mean probability of speech", "song is speech to it"),
        ("face_presence", "share of pictures near speech that show a face", "profiles and small faces are missed"),
        ("unseen_speech", "share of chunks that are speech while no face is seen", "nothing looks at mouths"),
        ("image_text_min", "least cosine of three frames with the words, by CLIP", "says nothing of timing"),
        ("image_jump_max", "largest step between features of neighbouring thumbnails", "a cut that was missed"),
        ("audio_text_min", "least cosine of parts of the sound with the words, by CLAP", "says nothing of timing"),
        ("agreement", "overlap of the classes that picture and sound suggest, 0 to 1", "says nothing of timing"),
        ("agreement_entropy", "how unsure the less sure of the two is, 0 to 1", "for reading agreement"),
        ("picture_sound", "PE-AV's logit that sound and picture are of one clip", f"no timing; {_UNTRIED}"),
        ("picture_sound_cosine", "cosine of PE-AV's two embeddings", f"no timing; {_UNTRIED}"),
        ("synchformer_offset_s", "Synchformer's likeliest offset, positive: the sound is late", _UNTRIED),
        ("synchformer_p_in_sync", "Synchformer's posterior within 0.2 s of no offset", _UNTRIED),
        ("synchformer_entropy", "how unsure Synchformer is, 0 to 1", _UNTRIED),
        ("synchformer_synchronisable", "probability that an offset could be told, by Synchformer", _UNTRIED),
        ("synchformer_segments", "segments that Synchformer looked at, 8 to 14", "14 as in its training"),
    )
}
