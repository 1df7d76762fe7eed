"""A stage of training as one call, in one process or many: from a snapshot to an adapter and its result."""
