"""Persistent cache of compiled programs."""

import hashlib
import os
import platform
from pathlib import Path

import jax

from cpcnn_jax.io import user_cache


def folder() -> Path:
    """Returns JAX's cache folder if one is set, else a folder in the user's cache.

    The default depends on the kind of machine, because programs compiled for one CPU do
    not run on an older one.
    """
    configured = jax.config.jax_compilation_cache_dir  # type: ignore[attr-defined]
    if configured:
        return Path(configured)
    return user_cache.folder() / f"xla-{_machine_hash()}"


def enable() -> bool:
    """Stores compiled programs in `folder()`; returns whether it can be written."""
    path = folder()
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    if not os.access(path, os.W_OK):
        return False
    jax.config.update("jax_compilation_cache_dir", str(path))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)
    return True


def _machine_hash():
    facts = [platform.system(), platform.machine(), platform.processor()]
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        first = cpuinfo.read_text().partition("\n\n")[0].splitlines()
        facts += [line for line in first if line.startswith(("model name", "flags"))]
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()[:8]
