"""The study: does two-stage training with little hand-checked data do what the paper claims? In miniature."""
