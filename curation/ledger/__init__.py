"""The memory of everything before publication: sources, videos, windows, scores, decisions, clips, verdicts."""
