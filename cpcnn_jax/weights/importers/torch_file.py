"""Tensors of files that torch.save wrote, read by PyTorch's safe loader."""

import os
import pickle

import numpy as np

_PREFIXES = (b"PK", b"\x80\x02")  # a zip archive; the layout before PyTorch 1.6


def is_torch_file(data: bytes) -> bool:
    """Tests for the first bytes of a file that torch.save wrote.

    Args:
      data: the content of the file.

    Returns:
      Whether the file is a zip archive or a pickle of protocol 2.
    """
    return data.startswith(_PREFIXES)


def read_tensors(path: str | os.PathLike) -> dict[str, np.ndarray]:
    """Reads the tensors of a state dict with `torch.load(weights_only=True)`.

    Args:
      path: a file that torch.save wrote. It holds a state dict, or a dict with the
        entry "state_dict".

    Returns:
      Arrays by name, with the tensors' shapes and dtypes.

    Raises:
      ValueError: PyTorch is not installed, or the file is damaged, holds no tensors or
        holds objects that could run code.
    """
    try:
        import torch
    except ImportError:
        raise ValueError(
            f"{path} is a PyTorch file, which needs PyTorch: pip install torch, or "
            "name a .safetensors file"
        ) from None
    try:
        tree = torch.load(path, map_location="cpu", weights_only=True)
        tree = tree.get("state_dict", tree)
        tensors = {
            name: value.detach().numpy()
            for name, value in tree.items()
            if isinstance(value, torch.Tensor)
        }
    except (pickle.UnpicklingError, AttributeError):
        raise ValueError(
            f"{path} holds more than a dict of tensors and is not read"
        ) from None
    except Exception as error:  # a damaged pickle fails in any way
        first = str(error).partition("\n")[0] or type(error).__name__
        raise ValueError(f"{path} is not a readable PyTorch file: {first}") from None
    if not tensors:
        raise ValueError(f"{path} holds no tensors by name")
    return tensors
