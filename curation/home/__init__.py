"""A project's folder and what concerns all that lies in it: whose turn it is, cut clips, names, what has to leave."""
