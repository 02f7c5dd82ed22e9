"""Importer of MCNN's public trained weights.

github.com/svishwa/crowdcount-mcnn (MIT) links them: HDF5 files of PyTorch's arrays.
Requires h5py: `pip install 'cpcnn_jax[convert]'`.
"""

import functools
import os

import numpy as np

from cpcnn_jax.io import hdf5
from cpcnn_jax.models.mcnn import MCNN
from cpcnn_jax.models.params import param_shapes
from cpcnn_jax.weights.importers import param_names

FILE = "mcnn_shtechA_660.h5"
# Names of the layers in the file; indices 1 and 3 of a branch are poolings.
LAYERS = {
    f"column{column}_conv{conv}": f"DME.branch{column}.{index}.conv"
    for column in (1, 2, 3)
    for conv, index in enumerate((0, 2, 4, 5), start=1)
} | {"fuse": "DME.fuse.0.conv"}


def read(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """Reads weights for `models.mcnn.MCNN`.

    Args:
      path: a file such as mcnn_shtechA_660.h5.

    Returns:
      Flat dict of float32 arrays: "column1_conv1/kernel" (HWIO) and so on.

    Raises:
      ValueError: the file is missing or is not HDF5; an array is missing, has another
        shape or lies in another file; h5py is not installed.
    """
    shapes = param_shapes(MCNN(), channels=1)
    with hdf5.open_hdf5(path) as file:
        get_array = functools.partial(hdf5.read_array, file)
        return param_names.rename_params(get_array, LAYERS, shapes, file=path)
