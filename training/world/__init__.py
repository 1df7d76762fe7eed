"""Drawn videos with exact truth: every picture event and every sound lies at a time we chose.

`draw(spec)` makes a `Film` in memory, `write_film` puts it into an MP4 file, `varied(number, split=...)` is the
specification of the number-th film of a world at its fullest, `crawled` that of a crawl with its faults. The films
stand in for web video where a test, the demo or the miniature study needs to know what is right [ours].
"""

from training.world.catalogue import Split, film_seed, varied
from training.world.film import Film, FilmSpec, draw
from training.world.mp4 import write_film
from training.world.scenes import SCENES
from training.world.web import CrawledFilm, Fault, crawled

__all__ = [
    "SCENES",
    "CrawledFilm",
    "Fault",
    "Film",
    "FilmSpec",
    "Split",
    "crawled",
    "draw",
    "film_seed",
    "varied",
    "write_film",
]
