"""One file for each command of cpcnn_jax."""
