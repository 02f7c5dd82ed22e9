"""The paper's figure as a folder: one network, one file; cpcnn composes them."""
