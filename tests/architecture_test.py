"""The architecture, read from the sources: rooms, allowed imports and file sizes."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = [
    *(ROOT / name for name in ("launch.py",)),
    *sorted((ROOT / "cpcnn_jax").rglob("*.py")),
]
# The rooms, and what each may import. cli/ alone imports the faces.
ROOMS_TABLE = {
    "config": "",
    "io": "",
    "layers": "",
    "distributed": "io",
    "models": "config layers",
    "data": "config io distributed",
    "weights": "config io models",
    "inference": "config io distributed layers models weights",
    "evaluation": "config io distributed data weights inference",
    "training": "config io layers distributed models data weights inference evaluation",
    "export": "config io layers models",
    "serve": "config io data weights inference",
    "explain": "io layers weights",
    "cli": "config io layers distributed models data weights inference evaluation "
    "training export serve explain",
}
# The package's front, which names things and is imported by none.
FRONT = {"cpcnn_jax", "__main__"}


def room(path):
    """Module name: cpcnn_jax/models/vgg.py -> models.vgg."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    inner = [part for part in parts if part != "__init__"]
    return ".".join(inner).removeprefix("cpcnn_jax.")


ROOMS = {room(path): path for path in FILES}


def imports(path):
    """Full names of everything that a file imports."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def known(path):
    """Modules of the package that a file imports."""
    for name in imports(path):
        inner = name.removeprefix("cpcnn_jax.")
        for candidate in (inner, inner.rpartition(".")[0]):
            if name.startswith("cpcnn_jax") and candidate in ROOMS:
                yield candidate
                break


def folder(name):
    return name.partition(".")[0]


def test_the_package_holds_the_rooms_and_nothing_else():
    top = {path.name for path in (ROOT / "cpcnn_jax").iterdir()} - {"__pycache__"}
    front = {"__init__.py", "__init__.pyi", "__main__.py", "py.typed"}
    assert top == ROOMS_TABLE.keys() | front


@pytest.mark.parametrize("name", sorted(ROOMS.keys() - FRONT - {"launch"}))
def test_a_room_imports_what_the_table_allows(name):
    allowed = {folder(name), *ROOMS_TABLE[folder(name)].split()}
    for other in known(ROOMS[name]):
        assert other not in FRONT
        assert folder(other) in allowed, f"{name} imports {other}"


def test_no_circles():
    arrows = {name: set(known(path)) - {name} for name, path in ROOMS.items()}
    while arrows:
        free = {name for name, others in arrows.items() if not others & arrows.keys()}
        assert free, f"a circle among {sorted(arrows)}"
        arrows = {name: others for name, others in arrows.items() if name not in free}


def users(package):
    """Modules that import a third-party package."""
    found = {
        name
        for name, path in ROOMS.items()
        for imported in imports(path)
        if imported == package or imported.startswith(f"{package}.")
    }
    return found


def test_only_train_reads_flags():
    flags = {"cli.train", "cli.train_flags"}
    assert users("absl.flags") | users("absl.app") == flags
    assert users("ml_collections") == {"cli.train_flags"}


def test_heavy_packages_are_imported_by_one_room():
    assert {folder(name) for name in users("tensorflow_datasets")} == {"data"}
    assert users("orbax") == {"training.checkpoint"}
    assert users("av") == {"io.video_container"}
    drawing = {folder(name) for name in users("matplotlib")}
    assert drawing == {"evaluation", "inference"}
    # The converters make a layer of another library if one is requested.
    assert users("torch") == {"weights.importers.torch_file", "layers.converters.torch"}
    assert users("keras") == {"layers.converters.keras"}
    assert users("equinox") == {"layers.converters.equinox"}
    assert users("ray") == {"inference.count_many"}
    for package in ("starlette", "uvicorn", "prometheus_client"):
        assert {folder(name) for name in users(package)} <= {"serve", "cli"}
    for oracle in ("tensorflow", "haiku", "skimage", "tensorboard"):
        assert not users(oracle), oracle
    # ONNX is the tests' oracle for the layer, and what the export room writes.
    assert {folder(name) for name in users("onnx") | users("onnxruntime")} == {"export"}


@pytest.mark.parametrize(
    ("owner", "names"),
    [
        (
            "distributed.data_parallel",
            "devices local_devices device_count local_device_count make_mesh",
        ),
        ("distributed.data_parallel", "pmap shard_map"),
        ("distributed.multihost", "process_index process_count distributed"),
    ],
)
def test_devices_and_processes_are_used_by_one_module(owner, names):
    for name, path in ROOMS.items():
        used = {
            node.attr
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and node.value.id == "jax"
        }
        assert name == owner or not used & {*names.split()}, f"{name}: {used}"


@pytest.mark.parametrize("name", sorted(ROOMS))
def test_a_file_is_one_idea(name):
    text = ROOMS[name].read_text()
    assert len(text.splitlines()) <= 300
    assert ast.get_docstring(ast.parse(text)), "the first line says what it is"
    assert not {"utils", "util", "helpers", "misc"} & set(name.split("."))
