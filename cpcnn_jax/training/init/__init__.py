"""Initialization of parameters from other weights."""
