"""All hostile answers of a seed, in an order of its own."""

import random

from bench.hostile import families, lists, manifests, pages, ways
from bench.hostile.case import Case


def cases(seed: int) -> list[Case]:
    """The cases; equal seeds give equal ones."""
    chance = random.Random(seed)
    return [
        *pages.cases(chance),
        *manifests.cases(chance),
        *lists.cases(chance),
        *families.cases(chance),
        *ways.cases(chance),
    ]
