"""Decode once, measure everything: the one-pass analysis, the waveform, and the exact cut."""
