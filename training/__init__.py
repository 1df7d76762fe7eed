"""From a snapshot to an animated image: audio encoders, adapter, frozen backbones, cache, two stages, sampling.

Knows nothing of Prefect and nothing of curation; it reads snapshots through `shards`.
"""
