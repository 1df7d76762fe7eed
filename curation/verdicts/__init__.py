"""What people say of clips: what an answer may be, which of several counts, and what outlives later decisions."""
