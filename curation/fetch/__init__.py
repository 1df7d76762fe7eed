"""Bring a video onto the disk: politely, safely, once; every failure has a type and a remedy."""
