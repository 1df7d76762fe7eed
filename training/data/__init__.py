"""Encoded clips, which of them a step sees, and the batches made of them; pictures and sound out of files."""
