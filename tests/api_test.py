"""The public interface: light imports, names, annotations, docstrings and examples."""

import doctest
import importlib
import inspect
import pkgutil
import subprocess
import sys

import pytest
from flax import linen as nn

import cpcnn_jax as cp

pytestmark = pytest.mark.quick_compile

HEAVY = (
    *("jax", "flax", "optax", "scipy", "PIL", "safetensors", "tqdm"),
    *("tensorflow", "tensorflow_datasets", "orbax", "matplotlib", "torch"),
    *("keras", "tensorboardX", "absl.app", "ml_collections"),
)
MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(cp.__path__, "cpcnn_jax.")
    if not module.name.endswith("__main__")
)
LINEN_MEMBERS = {*dir(nn.Module), "parent", "name", "setup"}


def run(program):
    """Runs a Python program; returns its standard output."""
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_import_loads_no_heavy_package():
    program = f"import cpcnn_jax, sys; print([m for m in {HEAVY} if m in sys.modules])"
    assert run(program) == "[]\n"


def test_counting_imports_nothing_that_it_does_not_use():
    """scipy.signal alone takes as long as all the others; it is for videos."""
    unused = "scipy.signal", "scipy.stats", "matplotlib", "optax", "absl.app"
    program = "import cpcnn_jax.cli.count, sys; "
    program += f"print([m for m in {unused} if m in sys.modules])"
    assert run(program) == "[]\n"


@pytest.mark.parametrize(
    "program",
    [
        "import cpcnn_jax.arithmetic as a; a.relationship_1(4, 3); a.Layer(3)",
        "import cpcnn_jax.converters; cpcnn_jax.converters.to_torch",
        "from cpcnn_jax.arithmetic import receptive_field, relationship_15, solve",
        "from cpcnn_jax.converters import from_torch",
        "from cpcnn_jax import arithmetic, converters; "
        "from cpcnn_jax.layers import arithmetic as a, converters as c; "
        "assert a is arithmetic and c is converters",
    ],
)
def test_arithmetic_and_converters_are_importable_from_the_package(program):
    run(program)


def test_version_is_that_of_the_installed_package():
    assert cp.__version__ == importlib.metadata.version("cpcnn_jax")


def test_version_of_a_package_that_is_not_installed():
    program = (
        "from importlib import metadata\n"
        "def version(name): raise metadata.PackageNotFoundError(name)\n"
        "metadata.version = version\n"
        "import cpcnn_jax; print(cpcnn_jax.__version__)"
    )
    assert run(program) == "0+unknown\n"


def test_every_name_of_the_stub_is_imported_at_its_first_use():
    program = "import cpcnn_jax as cp; print([cp.arithmetic.Layer(3).k, cp.CPCNN])"
    assert "<class 'cpcnn_jax.models.cpcnn.CPCNN'>" in run(program)
    for name in cp.__all__:
        value = getattr(cp, name)
        module = importlib.import_module(value.__module__)
        assert getattr(module, name) is value and name in dir(cp)
    assert {"CPCNN", "load", "density_map", "mae"} < {*cp.__all__}
    with pytest.raises(AttributeError, match="nothing"):
        cp.nothing  # noqa: B018


def public_callables(module):
    """(name, callable) of a module's own functions, classes and classes' methods."""
    for name, value in vars(module).items():
        if name.startswith("_") or getattr(value, "__module__", "") != module.__name__:
            continue
        if inspect.isclass(value):
            yield name, value
            for method, member in vars(value).items():
                function = function_of(member)
                inherited = issubclass(value, nn.Module) and method in LINEN_MEMBERS
                if inspect.isfunction(function) and not inherited:
                    yield f"{name}.{method}", function
        elif callable(value):
            yield name, value


def function_of(member):
    """The function of a method, property, cached property, class or static method."""
    for attribute in ("fget", "func", "__func__"):
        member = getattr(member, attribute, member)
    return member


def arguments(function):
    try:
        return set(inspect.signature(function).parameters) - {"self"}
    except ValueError:
        return set()


def unannotated(function):
    """Parameters without annotation, and "return" if that has none."""
    signature = inspect.signature(function)
    parts = {p.name: p.annotation for p in signature.parameters.values()}
    parts["return"] = signature.return_annotation
    missing = {name for name, part in parts.items() if part is inspect.Signature.empty}
    return sorted(missing - {"self", "cls"})


@pytest.mark.parametrize("name", MODULES)
def test_public_callables_are_annotated(name):
    module = importlib.import_module(name)
    missing = {}
    for qualified, function in public_callables(module):
        method = qualified.rpartition(".")[2]
        public = not method.startswith("_") or method in ("__init__", "__call__")
        own = getattr(function, "__module__", "") == name  # not what typing generates
        if public and own and not inspect.isclass(function):
            missing[qualified] = unannotated(function)
    assert not {qualified: names for qualified, names in missing.items() if names}


@pytest.mark.parametrize("name", cp.__all__)
def test_public_names_document_arguments_and_result(name):
    value = getattr(cp, name)
    text = inspect.getdoc(value)
    assert text and len(text.splitlines()[0]) <= 88
    if inspect.isclass(value):
        assert arguments(value) <= {"parent", "name"} or "Attributes:" in text
        text = inspect.getdoc(value.__call__)
    assert "Args:" in text and "Returns:" in text


@pytest.mark.parametrize("name", MODULES)
def test_random_keys_are_called_key(name):
    module = importlib.import_module(name)
    for qualified, function in public_callables(module):
        if hasattr(module, "jax") and not inspect.isclass(function):
            assert not {"rng", "rngs"} & arguments(function), qualified


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name):
    module = importlib.import_module(name)
    result = doctest.testmod(
        module, optionflags=doctest.IGNORE_EXCEPTION_DETAIL | doctest.ELLIPSIS
    )
    assert result.failed == 0
