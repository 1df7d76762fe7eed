"""The training loop and what it needs: loss, step, average, checkpoints, probe, log, cost."""
