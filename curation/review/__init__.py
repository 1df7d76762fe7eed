"""The human's part: the queue of flagged clips, its verdicts, and the page that shows it."""
