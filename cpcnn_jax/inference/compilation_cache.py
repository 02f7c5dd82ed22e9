"""Compiled programs, kept from one start to the next."""

import hashlib
import os
import platform
from pathlib import Path

import jax


def folder():
    """Where compiled programs are kept: where JAX was told to, or in the user's cache.

    Returns:
      The path. By default it is another one for another kind of machine, since programs
      for CPUs do not run on older ones.
    """
    if told := jax.config.jax_compilation_cache_dir:
        return Path(told)
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "cpcnn_jax" / f"xla-{_machine()}"


def enable():
    """Keep compiled programs in `folder()`, if it can be written.

    Returns:
      Whether they are kept.
    """
    place = folder()
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    if not os.access(place, os.W_OK):
        return False
    jax.config.update("jax_compilation_cache_dir", str(place))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)
    return True


def _machine():
    """A short name for this kind of processor."""
    said = [platform.system(), platform.machine(), platform.processor()]
    linux = Path("/proc/cpuinfo")
    if linux.exists():
        first = linux.read_text().partition("\n\n")[0].splitlines()
        said += [line for line in first if line.startswith(("model name", "flags"))]
    return hashlib.sha256("\n".join(said).encode()).hexdigest()[:8]
