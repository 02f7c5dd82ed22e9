"""Where photographs come from: one interface over every source, one pipeline after it.

A source is a sequence of photographs with known heads:

    len(source)                number of photographs
    source[i]                  {"name": str, "image": uint8 [H, W, 3],
                                "points": float32 [N, 2] as (x, y), inside the image}
    source.shapes[i]           (H, W), without decoding the photograph
    source.points[i]           float32 [N, 2], likewise
    source.names[i]            str, likewise
    source.skipped             of each photograph that was left out, why: one sentence

and its arrays are shared: copy one before writing to it. A data set that knows more of
a photograph has further keys in source[i]; its module says which.
"""

import typing

from cpcnn_jax import config
from cpcnn_jax.distributed import multihost


def open_dataset(data, split):
    """Opens the photographs that a configuration names.

    Of several processes the main one is first, since the first prepares what lies in a
    folder.

    Args:
      data: one of the data sets of `config`.
      split: "train" or "test"; `config.JhuCrowd` and `config.NwpuCrowd` also have
        "val".

    Returns:
      A source, as described in `cpcnn_jax.data`.

    Raises:
      ValueError: the data set's folder or one of its files is missing or damaged.

    Example:
      >>> source = open_dataset(config.SyntheticCrowd(num_test=8), "test")
      >>> len(source), source[0]["image"].shape
      (8, (256, 320, 3))
    """
    match data:
        case config.SyntheticCrowd():
            from cpcnn_jax.data.datasets.synthetic import SyntheticCrowd as opened
        case config.Folder():
            from cpcnn_jax.data.datasets.folder import open_dataset as opened
        case config.ShanghaiTech():
            from cpcnn_jax.data.datasets.shanghaitech import open_dataset as opened
        case config.UcfCc50():
            from cpcnn_jax.data.datasets.ucf_cc_50 import open_dataset as opened
        case config.WorldExpo():
            from cpcnn_jax.data.datasets.world_expo import open_source as opened
        case config.UcfQnrf():
            from cpcnn_jax.data.datasets.ucf_qnrf import open_source as opened
        case config.JhuCrowd():
            from cpcnn_jax.data.datasets.jhu_crowd import open_source as opened
        case config.NwpuCrowd():
            from cpcnn_jax.data.datasets.nwpu_crowd import open_dataset as opened
        case config.Mall():
            from cpcnn_jax.data.datasets.mall import open_source as opened
        case _:
            names = ", ".join(kind.__name__ for kind in typing.get_args(config.DataSet))
            raise ValueError(f"config.data must be one of {names}; got {data!r}.")
    with multihost.main_first(f"{split} photographs"):
        return opened(data, split)
