"""From scores to three bands: accept, review, reject. Pure policy here, its application to the ledger in `apply`."""
