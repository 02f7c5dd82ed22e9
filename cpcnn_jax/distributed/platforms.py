"""Errors of a platform that JAX cannot use."""

_TEXTS = ("Unable to initialize backend", "Unknown backend")


def describe_platform_error(error: RuntimeError) -> str | None:
    """Describes an error of JAX_PLATFORMS in a sentence; None for another error.

    Example:
      >>> error = RuntimeError("Unable to initialize backend 'tpu': it has none\\nmore")
      >>> describe_platform_error(error)
      "JAX_PLATFORMS: Unable to initialize backend 'tpu': it has none"
    """
    text = str(error).partition("\n")[0]
    return f"JAX_PLATFORMS: {text}" if text.startswith(_TEXTS) else None
