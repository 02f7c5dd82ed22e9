"""Checks of data sets and density maps."""
