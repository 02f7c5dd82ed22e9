"""Losses, steps, stages, checkpoints and the training loop."""
