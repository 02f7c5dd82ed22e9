"""Weights in repositories on Hugging Face."""

import os
import re
from pathlib import Path

FILE = "weights.safetensors"  # the only file that is downloaded; it contains no code


def is_repository(name: str | os.PathLike[str]) -> bool:
    """Tests whether a name has the form of a repository's, OWNER/NAME."""
    return bool(re.fullmatch(r"[\w-][\w.-]*/[\w-][\w.-]*", str(name)))


def fetch(repository: str) -> Path:
    """Downloads a repository's weights, or finds an earlier download.

    With HF_HUB_OFFLINE=1 in the environment the network is not used.

    Args:
      repository: OWNER/NAME.

    Returns:
      Path of the file in Hugging Face's own cache.

    Raises:
      ValueError: there is no such repository or file, no network, or no client.
    """
    try:
        import huggingface_hub
    except ImportError:
        raise ValueError(
            f"no file {repository}; a download from Hugging Face needs its client: "
            "pip install 'cpcnn_jax[hub]'"
        ) from None
    try:
        return Path(huggingface_hub.hf_hub_download(repository, FILE))
    except (OSError, ValueError) as error:  # bases of all its errors
        raise ValueError(
            f"no file {repository}, and no {FILE} in that repository on Hugging Face: "
            f"{str(error).strip().splitlines()[0]}"
        ) from None
