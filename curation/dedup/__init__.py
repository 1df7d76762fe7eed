"""Which clips are copies of each other, or of what a benchmark tests on: fingerprints, likeness, the best copy."""
