"""Constants that several rooms share."""

PATCH = 64  # pixels, the side of LCE's windows; no image or crop is smaller
# VGG-16, configuration D: (features, convolutions) of each block.
VGG16_BLOCKS = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))
VGG16_LAYERS = tuple(
    f"conv{block}_{layer}"
    for block, (_, depth) in enumerate(VGG16_BLOCKS, start=1)
    for layer in range(1, depth + 1)
)
