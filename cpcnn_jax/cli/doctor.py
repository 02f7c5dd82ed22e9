"""`cpcnn_jax doctor`: versions, devices and data, and the count of one image."""

import importlib.metadata
import os
import platform
import shutil
import sys
import time
import typing
from collections.abc import Sequence
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


def main(argv: Sequence[str]) -> int:
    """Runs the command; exit status 0 if the image was counted, 1 otherwise."""
    args = make_parser().parse_args(argv)
    cache_enabled = compilation_cache.enable()
    _print("python", f"{platform.python_version()} on {platform.platform()}")
    _print("packages", ", ".join(map(_version, PACKAGES)))
    _print("devices", ", ".join(data_parallel.device_names()))
    for line in _data_lines() or ["none prepared, none in its default folder"]:
        _print("data", line)
    _print("disk", _disk_space(Path.cwd()))
    unwritable = f"{compilation_cache.folder()} cannot be written"
    _print("programs", _cached_programs() if cache_enabled else unwritable)
    try:
        _print("inference", _count_image(args.weights))
    except Exception as error:  # a broken installation can raise any type
        print(f"doctor: {type(error).__name__}: {error}", file=sys.stderr)
        return 1
    return 0


def make_parser() -> Parser:
    """Makes the parser of the command's arguments."""
    parser = Parser(
        prog="cpcnn_jax doctor",
        description="Print versions, devices, data, disk and compiled programs, then "
        "count the people in one synthetic image.",
    )
    parser.add_argument(
        "--weights",
        metavar="WEIGHTS",
        help=f"weights to count with, {pretrained.HELP} (default: an untrained, narrow "
        "network)",
    )
    return parser


def _print(name, text):
    print(f"{name:<10} {text}", flush=True)


def _version(package):
    try:
        return f"{package} {importlib.metadata.version(package)}"
    except importlib.metadata.PackageNotFoundError:
        return f"{package} is missing"


def _data_lines():
    """Prepared copies, then data sets in their default folders."""
    root = Path(os.environ.get("TFDS_DATA_DIR", "~/tensorflow_datasets")).expanduser()
    infos = sorted((root / "cpcnn_jax").glob("*/**/dataset_info.json"))
    lines = [f"prepared: {info.parent}" for info in infos]
    for kind in typing.get_args(config.DataSet):
        folder = getattr(kind(), "root", None)
        if folder and Path(folder).is_dir():
            lines.append(f"{kind.__name__}: {folder}")
    return lines


def _disk_space(folder):
    usage = shutil.disk_usage(folder)
    return f"{usage.free / 1e9:.1f} of {usage.total / 1e9:.1f} GB free at {folder}"


def _cached_programs():
    files = [file for file in compilation_cache.folder().glob("*") if file.is_file()]
    size = sum(file.stat().st_size for file in files) / 1e6
    return f"{len(files)} files, {size:.1f} MB in {compilation_cache.folder()}"


def _count_image(path):
    """Counts one image twice, the first time with compilation."""
    settings = config.SyntheticCrowd(num_test=1, height=480, width=640)
    record = data.open_dataset(settings, "test")[0]
    people_counter = counter.load(path) if path else _untrained_counter()
    seconds = []
    for _ in range(2):
        start = time.monotonic()
        result = people_counter.count(record["image"])
        seconds.append(time.monotonic() - start)
    return (
        f"{seconds[0]:.2f} s, then {seconds[1]:.2f} s for a synthetic image of "
        f"640x480 pixels and {len(record['points'])} people; "
        + (f"{path} counts {result.count:.1f}" if path else "untrained, so no count")
    )


def _untrained_counter():
    """Narrow networks with random weights, faster than model.init."""
    model, image = cpcnn.build(NARROW), jnp.zeros((1, 64, 64, 3))
    shapes = jax.eval_shape(model.init, jax.random.key(0), image)["params"]
    rng = np.random.default_rng(0)
    params = jax.tree.map(lambda leaf: rng.normal(0, 0.05, leaf.shape), shapes)
    flat = flatten_dict(jax.tree.map(np.float32, params), sep="/")
    return counter.Counter(model, flat, blocks=4)
