"""What a scheduler and a person run: Prefect flows, deployments' entry points and the command line.

Thin: every algorithm lives in `curation`, `training` or `shards`.
"""
