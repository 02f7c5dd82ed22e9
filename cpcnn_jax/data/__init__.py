"""Where photographs come from: one interface over every source, one pipeline after it.

A source is a sequence of photographs with known heads:

    len(source)                number of photographs
    source[i]                  {"name": str, "image": uint8 [H, W, 3],
                                "points": float32 [N, 2] as (x, y), inside the image}
    source.shapes[i]           (H, W), without decoding the photograph
    source.points[i]           float32 [N, 2], likewise
    source.names[i]            str, likewise

and its arrays are shared: copy one before writing to it.
"""

from cpcnn_jax import config


def open_source(data, split):
    """Opens the photographs that a configuration names.

    Args:
      data: `config.Crowd` or `config.ShanghaiTech`.
      split: "train" or "test".

    Returns:
      A source, as described in `cpcnn_jax.data`.

    Raises:
      ValueError: the data set's folder or one of its files is missing or damaged.

    Example:
      >>> source = open_source(config.Crowd(num_test=8), "test")
      >>> len(source), source[0]["image"].shape
      (8, (256, 320, 3))
    """
    match data:
        case config.Crowd():
            from cpcnn_jax.data import crowd

            return crowd.Crowd(data, split)
        case config.ShanghaiTech():
            from cpcnn_jax.data import shanghaitech

            return shanghaitech.open_source(data, split)
    raise ValueError(f"config.data must be Crowd or ShanghaiTech; got {data!r}.")
