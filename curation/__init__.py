"""From a noisy link to a decided clip: sources, fetch, media analysis, scores, decisions, review, publication.

Knows nothing of Prefect and nothing of training. Data flows one way through its rooms:
sources -> fetch -> media -> clips -> scores -> decide -> review -> publish; the ledger remembers each step.
"""
