"""Weights that someone has put on Hugging Face, by the name of their repository."""

import re
from pathlib import Path

FILE = "weights.safetensors"  # the only file that is fetched: there is no code in it


def is_name(text):
    """Whether a text can be the name of a repository, OWNER/NAME."""
    return bool(re.fullmatch(r"[\w-][\w.-]*/[\w-][\w.-]*", str(text)))


def fetch(repository):
    """Get a repository's weights, or find what an earlier call has got.

    Args:
      repository: OWNER/NAME.

    Returns:
      The path of the file in Hugging Face's own cache. With HF_HUB_OFFLINE=1 in the
      environment nothing is asked of the network.

    Raises:
      ValueError: there is no such repository or file, or no network.
    """
    try:
        import huggingface_hub
    except ImportError:
        raise ValueError(
            f"no file {repository}; to look for it on Hugging Face: "
            "pip install 'cpcnn_jax[hub]'"
        ) from None
    try:
        return Path(huggingface_hub.hf_hub_download(repository, FILE))
    except (OSError, ValueError) as error:  # what its many errors are
        raise ValueError(
            f"no file {repository}, and no {FILE} of that repository on Hugging Face: "
            f"{str(error).strip().splitlines()[0]}"
        ) from None
