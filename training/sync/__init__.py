"""Trains the sync classifier that curation scores with: from drawn films, or from the clips of a snapshot."""
