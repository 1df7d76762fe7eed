"""Frozen encoders behind two small protocols: picture and words in one space, sound and words in another."""
