"""Synchformer (Iashin et al. 2024, arXiv 2401.16423): how late is the sound? After the paper, its configuration and the
names in its published checkpoints; those are given by path and read as tensors alone."""
