"""Optional parts of the installation, by the modules that each brings."""

import importlib.util

# The extras of setup.cfg.
EXTRAS = {
    "train": (
        *("absl", "filelock", "importlib_resources", "matplotlib", "ml_collections"),
        *("optax", "orbax", "tensorboardX", "tensorflow_datasets", "yaml"),
    ),
    "video": ("av", "matplotlib"),
    "serve": ("prometheus_client", "python_multipart", "starlette", "uvicorn"),
    "export": ("flatbuffers", "onnx", "onnxruntime"),
    "hub": ("huggingface_hub",),
    "many": ("pyarrow", "ray"),
    "convert": ("h5py",),
    "heif": ("pillow_heif",),
    "docs": ("material", "mkdocs", "mkdocstrings", "ruff"),
}


def missing_modules(extra: str) -> list[str]:
    """Lists the modules of an extra that are not installed."""
    return [name for name in EXTRAS[extra] if importlib.util.find_spec(name) is None]


def describe_missing(error: ModuleNotFoundError) -> str | None:
    """Describes how to install a module that an import lacks.

    Returns:
      A sentence with the command, or None if the module belongs to no extra.

    Example:
      >>> describe_missing(ModuleNotFoundError(name="av"))
      "av is missing: pip install 'cpcnn_jax[video]'"
    """
    module = (error.name or "").partition(".")[0]
    extra = next((name for name, parts in EXTRAS.items() if module in parts), None)
    return extra and f"{module} is missing: pip install 'cpcnn_jax[{extra}]'"
