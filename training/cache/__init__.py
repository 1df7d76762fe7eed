"""Encode every clip of a snapshot once: what is encoded, and where it is kept."""
