"""Does fetching hold against strangers? Three hundred hostile answers of a server, two at a time, beside good videos.

Every good video must arrive, every hostile answer end with a typed outcome within its deadline and two seconds, this
process must not grow, no process survive, and no other address be asked. Another --seed varies sizes, places and order.
"""

from bench.hostile.running import add_arguments, run

__all__ = ["add_arguments", "run"]
