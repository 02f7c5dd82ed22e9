"""Maps at twice the size, by a library that nobody here wrote."""

import numpy as np
import torch


def doubled(x):
    """PyTorch's linear interpolation to twice the size.

    Args:
      x: `[B, H, W, C]`.

    Returns:
      `[B, 2 H, 2 W, C]`.
    """
    x = torch.from_numpy(np.array(x)).permute(0, 3, 1, 2)
    found = torch.nn.functional.interpolate(x, scale_factor=2, mode="bilinear")
    return found.permute(0, 2, 3, 1).numpy()
