"""A project's folder and what concerns all of it: whose turn it is, cuts, names, backups, what has to leave."""
