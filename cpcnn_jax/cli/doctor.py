"""`cpcnn_jax doctor`: the installation, its weights, and the time of one count."""

import importlib.metadata
import os
import platform
import shutil
import sys
import time
import typing
from collections.abc import Sequence
from pathlib import Path

from cpcnn_jax import config, data
from cpcnn_jax.cli import extras
from cpcnn_jax.cli.parser import Parser
from cpcnn_jax.distributed import data_parallel
from cpcnn_jax.inference import compilation_cache, counter
from cpcnn_jax.inference.people import format_people
from cpcnn_jax.io import user_cache
from cpcnn_jax.weights import pretrained

PACKAGES = (
    *("cpcnn_jax", "jax", "jaxlib", "flax", "numpy", "pillow", "safetensors", "scipy"),
)


def main(argv: Sequence[str]) -> int:
    """Runs the command; exit status 0 if the image was counted, 1 otherwise."""
    args = make_parser().parse_args(argv)
    cache_enabled = compilation_cache.enable()
    _print("python", f"{platform.python_version()} on {platform.platform()}")
    _print("packages", ", ".join(map(_version, PACKAGES)))
    for line in _extra_lines():
        _print("extras", line)
    _print("devices", ", ".join(data_parallel.device_names()))
    for line in map(_describe_weights, pretrained.PRETRAINED):
        _print("weights", line)
    _print("cache", _describe_cache())
    unwritable = f"{compilation_cache.folder()} cannot be written"
    _print("programs", _cached_programs() if cache_enabled else unwritable)
    for line in _data_lines() or ["none prepared, none in its default folder"]:
        _print("data", line)
    _print("disk", _disk_space(Path.cwd()))
    try:
        _print("count", _count_image(args.weights))
    except (ValueError, OSError) as error:
        print(f"doctor: {error}", file=sys.stderr)
        return 1
    except Exception as error:  # a broken installation can raise any type
        print(f"doctor: {type(error).__name__}: {error}", file=sys.stderr)
        return 1
    return 0


def make_parser() -> Parser:
    """Makes the parser of the command's arguments."""
    parser = Parser(
        prog="cpcnn_jax doctor",
        description="Print versions, extras, devices, weights, caches and data, then "
        "count the people in one synthetic image, with the time.",
    )
    parser.add_argument(
        "--weights",
        metavar="WEIGHTS",
        default=pretrained.DEFAULT,
        help=f"weights to count with, {pretrained.HELP} (default: %(default)s)",
    )
    return parser


def _print(name, text):
    print(f"{name:<10} {text}", flush=True)


def _version(package):
    try:
        return f"{package} {importlib.metadata.version(package)}"
    except importlib.metadata.PackageNotFoundError:
        return f"{package} is missing"


def _extra_lines():
    """The installed extras, then each missing one with its command."""
    missing = {name: extras.missing_modules(name) for name in extras.EXTRAS}
    yield ", ".join(name for name in missing if not missing[name]) or "none"
    for name in filter(missing.get, missing):
        yield f"{name} is missing: pip install 'cpcnn_jax[{name}]'"


def _describe_weights(name):
    """Whether a pretrained file is there, and its terms."""
    kind = "the default, " if name == pretrained.DEFAULT else ""
    try:
        size = pretrained.find_weights(name).stat().st_size / 1e6
    except ValueError as error:
        return f"{name}, {kind}is not there: {error}"
    return f"{name}, {kind}{size:.1f} MB, {pretrained.license_line(name)}"


def _describe_cache():
    folder = user_cache.folder()
    names = [file.stem for file in sorted(folder.glob("weights/*.safetensors"))]
    return f"{folder}, imported weights: {', '.join(names) or 'none'}"


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


def _count_image(weights):
    """Counts one image twice, the first time with compilation."""
    settings = config.SyntheticCrowd(num_test=1, height=480, width=640)
    record = data.open_dataset(settings, "test")[0]
    start = time.monotonic()
    loaded = counter.load(weights)
    seconds = []
    for _ in range(2):
        result = loaded.count(record["image"])
        seconds.append(time.monotonic() - start)
        start = time.monotonic()
    return (
        f"{seconds[0]:.2f} s with loading and compilation, then {seconds[1]:.2f} s, "
        f"for 640x480 pixels with {len(record['points'])} drawn people; {weights} "
        f"counts {format_people(result.count)} (weights of photographs undercount "
        "drawings)"
    )
