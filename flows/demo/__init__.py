"""What the demo brings along: a folder of source videos with planted defects, and a server that offers them.

The demo's claim is checkable because every planted file says beforehand what curation should find in it.
"""
