"""What became of everything, and why: it reads the ledger and changes nothing in it."""
