"""The metrics, one file each; `training.evaluate.registry` names them."""
