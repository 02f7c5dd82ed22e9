"""Trained networks on images and videos of any size."""
