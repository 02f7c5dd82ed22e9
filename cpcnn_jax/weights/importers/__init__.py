"""Weights that others trained, read from their files without running code of theirs."""
