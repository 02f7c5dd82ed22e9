"""Upsampling by PyTorch, as a reference."""

import numpy as np
import torch


def doubled(x):
    """Doubles the size of `[B, H, W, C]` by PyTorch's linear interpolation."""
    x = torch.from_numpy(np.array(x)).permute(0, 3, 1, 2)
    upsampled = torch.nn.functional.interpolate(x, scale_factor=2, mode="bilinear")
    return upsampled.permute(0, 2, 3, 1).numpy()
