"""What `clapboard up` does, as commands to type: for whoever keeps the server, the pools and the workers apart."""

DEPLOYING = (
    "prefect work-pool create curation --type process",
    "prefect work-pool create training --type process",
    "prefect deploy --all",
)
"""How a server gets our deployments, in the folder of prefect.yaml."""

WORKERS = ("prefect worker start --pool curation", "prefect worker start --pool training")
"""Who runs them: each pool needs a worker, and a worker does not end by itself."""


def next_commands(url: str) -> list[str]:
    """What to type in another terminal: without the first line `prefect` would ask a server of its own."""
    return [f"export PREFECT_API_URL={url}", *DEPLOYING]
