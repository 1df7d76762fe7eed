"""Measurements: each prints its figures as a table and as JSON with the facts of the machine."""
