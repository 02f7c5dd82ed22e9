"""Flax networks, one file each; `cpcnn` composes CP-CNN from four of them."""
