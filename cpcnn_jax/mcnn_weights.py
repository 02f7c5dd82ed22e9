"""MCNN's public trained weights, read into our names: what the protocol is proved with.

github.com/svishwa/crowdcount-mcnn (MIT) links them: HDF5 files of PyTorch's arrays.
Reading one needs h5py: `pip install 'cpcnn_jax[convert]'`.
"""

import jax
import jax.numpy as jnp
import numpy as np
from flax.traverse_util import flatten_dict

from cpcnn_jax import hdf5
from cpcnn_jax.models.mcnn import MCNN

# Our layers in the file; in its branches 1 and 3 are the poolings.
LAYERS = {
    f"column{column}_conv{conv}": f"DME.branch{column}.{place}.conv"
    for column in (1, 2, 3)
    for conv, place in enumerate((0, 2, 4, 5), start=1)
} | {"fuse": "DME.fuse.0.conv"}
PARTS = {"kernel": "weight", "bias": "bias"}


def read(path):
    """Read a file of weights for `models.mcnn.MCNN`.

    Args:
      path: of a file such as mcnn_shtechA_660.h5.

    Returns:
      Flat dict of float32 arrays: "column1_conv1/kernel" (HWIO) and so on.

    Raises:
      ValueError: the file is missing or no HDF5 file; an array is missing, has another
        shape or lies in another file; h5py is not installed.
    """
    with hdf5.opened(path) as file:
        return {name: _read(file, name, want) for name, want in _shapes().items()}


def _shapes():
    """Name to shape of every weight of the module."""
    tree = jax.eval_shape(MCNN().init, jax.random.key(0), jnp.zeros((1, 4, 4, 1)))
    flat = flatten_dict(tree["params"], sep="/")
    return {name: leaf.shape for name, leaf in flat.items()}


def _read(file, name, want):
    """One array, OIHW in the file and HWIO here."""
    layer, part = name.rsplit("/", 1)
    theirs = f"{LAYERS[layer]}.{PARTS[part]}"
    stored = want if part == "bias" else tuple(want[axis] for axis in (3, 2, 0, 1))
    found = hdf5.array(file, theirs)
    shape = getattr(found, "shape", "nothing")
    if shape != stored:
        raise ValueError(
            f"{file.filename}: expected {theirs} of shape {stored}, got {shape}"
        )
    array = np.asarray(found, np.float32)
    return array if part == "bias" else array.transpose(2, 3, 1, 0)
