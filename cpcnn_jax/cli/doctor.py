"""python -m cpcnn_jax doctor: does it work here, and with what?"""

import importlib.metadata
import os
import platform
import shutil
import sys
import time
import typing
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from flax.traverse_util import flatten_dict

from cpcnn_jax import config, data
from cpcnn_jax.cli.parser import Parser
from cpcnn_jax.distributed import data_parallel
from cpcnn_jax.inference import compilation_cache, counter
from cpcnn_jax.models import cpcnn
from cpcnn_jax.weights import pretrained

PACKAGES = (
    *("cpcnn_jax", "jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "grain"),
    *("tensorflow-datasets", "numpy", "pillow", "safetensors"),
)
NARROW = config.Model(
    vgg_width_multiplier=0.125,
    gce_hidden_dims=(16, 8),
    lce_features=(8, 16, 32),
    lce_hidden_dims=(16, 8),
)


def main(argv):
    """Print what is here, and count one photograph.

    Args:
      argv: see --help.

    Returns:
      The exit status: 0 if the photograph was counted, 1 if not.
    """
    parser = Parser(
        prog="python -m cpcnn_jax doctor",
        description="Print devices, versions, data, disk and compiled programs, then "
        "count the people in one generated photograph.",
    )
    parser.add_argument(
        "--weights",
        metavar="WEIGHTS",
        help=f"to count with, {pretrained.ANY} (default: untrained, narrow ones)",
    )
    args = parser.parse_args(argv)
    kept = compilation_cache.enable()
    _print("python", f"{platform.python_version()} on {platform.platform()}")
    _print("packages", ", ".join(map(_version, PACKAGES)))
    _print("devices", ", ".join(data_parallel.device_names()))
    for line in _data() or ["none prepared, none in its default folder"]:
        _print("data", line)
    _print("disk", _disk(Path.cwd()))
    _print(
        "programs",
        _programs() if kept else f"{compilation_cache.folder()} cannot be written",
    )
    try:
        _print("inference", _inference(args.weights))
    except Exception as error:  # whatever an ill installation leads to
        print(f"doctor: {type(error).__name__}: {error}", file=sys.stderr)
        return 1
    return 0


def _print(name, text):
    print(f"{name:<10} {text}", flush=True)


def _version(package):
    try:
        return f"{package} {importlib.metadata.version(package)}"
    except importlib.metadata.PackageNotFoundError:
        return f"{package} is missing"


def _data():
    """Lines: prepared copies, then data sets in their default folders."""
    root = Path(os.environ.get("TFDS_DATA_DIR", "~/tensorflow_datasets")).expanduser()
    infos = sorted((root / "cpcnn_jax").glob("*/**/dataset_info.json"))
    found = [f"prepared: {info.parent}" for info in infos]
    for kind in typing.get_args(config.DataSet):
        folder = getattr(kind(), "root", None)
        if folder and Path(folder).is_dir():
            found.append(f"{kind.__name__}: {folder}")
    return found


def _disk(folder):
    usage = shutil.disk_usage(folder)
    return f"{usage.free / 1e9:.1f} of {usage.total / 1e9:.1f} GB free at {folder}"


def _programs():
    files = [file for file in compilation_cache.folder().glob("*") if file.is_file()]
    size = sum(file.stat().st_size for file in files) / 1e6
    return f"{len(files)} files, {size:.1f} MB in {compilation_cache.folder()}"


def _inference(path):
    """Count one photograph twice: the first time compiles."""
    settings = config.SyntheticCrowd(num_test=1, height=480, width=640)
    record = data.open_dataset(settings, "test")[0]
    ready = counter.load(path) if path else _untrained()
    seconds = []
    for _ in range(2):
        began = time.monotonic()
        found = ready.count(record["image"])
        seconds.append(time.monotonic() - began)
    return (
        f"{seconds[0]:.2f} s, then {seconds[1]:.2f} s for a generated photograph of "
        f"640x480 pixels and {len(record['points'])} people; "
        + (f"{path} counts {found.count:.1f}" if path else "untrained, so no count")
    )


def _untrained():
    """Narrow networks with drawn weights; an initialisation would take longest."""
    model, image = cpcnn.build(NARROW), jnp.zeros((1, 64, 64, 3))
    shapes = jax.eval_shape(model.init, jax.random.key(0), image)["params"]
    draw = np.random.default_rng(0)
    drawn = jax.tree.map(lambda leaf: draw.normal(0, 0.05, leaf.shape), shapes)
    flat = flatten_dict(jax.tree.map(np.float32, drawn), sep="/")
    return counter.Counter(model, flat, blocks=4)
