"""What joins an evaluation to the rest: curation's encoders as its networks, its page, its files in a home."""
