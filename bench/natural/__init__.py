"""Do scores and decisions hold on film? Filmed clips with their own sound against the same made wrong.

The corpus is split by source repository, through a fixed hash, into a side to tune on and a side to test on; figures
are reported of the test side. Wrong are twins: the sound 0.3, 0.5 and 1 s late and early, another clip's sound, a voice
or music laid over, the picture frozen. bench/natural/doubts.csv names clips whose label looks wrong; they count all the
same.
"""

from bench.natural.running import add_arguments, run

__all__ = ["add_arguments", "run"]
