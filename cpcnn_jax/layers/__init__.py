"""The fractionally-strided convolution and fast CPU convolutions."""
