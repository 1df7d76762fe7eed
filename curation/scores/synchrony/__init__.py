"""Synchrony of filmed video, judged region by region over a whole take: what `curation.scores.sync` is made of.

What makes a sound is a small part of most pictures, so motion is followed in some two hundred overlapping `regions`,
changes of the `sounds` in octave bands, `lags` correlates the two, and `posterior` says how probable each offset is,
or that none can be told.
"""
