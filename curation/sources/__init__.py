"""Where links come from: one file a kind of source list; `read.py` knows them all."""
