"""CP-CNN in JAX and Flax: networks, density maps, counts and scores.

Use it as `import cpcnn_jax as cp`. The networks have the names of the paper's figure.
`__init__.pyi` lists the names; each is imported at its first use.
"""

import sys
from importlib import metadata

import lazy_loader

from cpcnn_jax.layers import arithmetic, converters

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

# The rooms' modules are also importable by these names.
sys.modules[f"{__name__}.arithmetic"] = arithmetic
sys.modules[f"{__name__}.converters"] = converters

try:
    __version__ = metadata.version("cpcnn_jax")
except metadata.PackageNotFoundError:  # a source tree that is not installed
    __version__ = "0+unknown"
