"""Readers of weights of other projects; none runs code of their files."""
