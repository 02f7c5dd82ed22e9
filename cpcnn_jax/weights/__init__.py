"""Weights files, pretrained names and importers."""
