"""What others import: light, named, explained, with examples that run."""

import doctest
import importlib
import inspect
import pkgutil
import subprocess
import sys

import pytest
from flax import linen as nn

import cpcnn_jax as cp

HEAVY = (
    *("tensorflow", "tensorflow_datasets", "orbax", "grain", "matplotlib", "torch"),
    *("keras", "tensorboardX", "absl.app", "ml_collections"),
)
MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(cp.__path__, "cpcnn_jax.")
    if not module.name.endswith("__main__")
)
OF_LINEN = {*dir(nn.Module), "parent", "name", "setup"}


def test_importing_is_light():
    program = f"import cpcnn_jax, sys; print([m for m in {HEAVY} if m in sys.modules])"
    words = [sys.executable, "-c", program]
    found = subprocess.run(words, capture_output=True, text=True, check=True)
    assert found.stdout == "[]\n"


def test_all_names_are_there_and_no_others():
    public = {
        name
        for name, value in vars(cp).items()
        if not name.startswith("_") and not inspect.ismodule(value)
    }
    assert public == set(cp.__all__)
    assert len(set(cp.__all__)) == len(cp.__all__)


def public_callables(module):
    """(name, function) of a module's own functions, and of its classes' methods."""
    for name, value in vars(module).items():
        if name.startswith("_") or getattr(value, "__module__", "") != module.__name__:
            continue
        if inspect.isclass(value):
            yield name, value
            for method, function in vars(value).items():
                inherited = issubclass(value, nn.Module) and method in OF_LINEN
                if inspect.isfunction(function) and not inherited:
                    yield f"{name}.{method}", function
        elif callable(value):
            yield name, value


def arguments(function):
    try:
        return set(inspect.signature(function).parameters) - {"self"}
    except ValueError:
        return set()


@pytest.mark.parametrize("name", cp.__all__)
def test_public_names_say_what_they_take_and_give(name):
    value = getattr(cp, name)
    text = inspect.getdoc(value)
    assert text and len(text.splitlines()[0]) <= 88
    if inspect.isclass(value):
        assert arguments(value) <= {"parent", "name"} or "Attributes:" in text
        text = inspect.getdoc(value.__call__)
    assert "Args:" in text and "Returns:" in text


@pytest.mark.parametrize("name", MODULES)
def test_keys_are_called_key(name):
    module = importlib.import_module(name)
    for where, function in public_callables(module):
        if hasattr(module, "jax") and not inspect.isclass(function):
            assert not {"rng", "rngs"} & arguments(function), where


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name):
    module = importlib.import_module(name)
    result = doctest.testmod(
        module, optionflags=doctest.IGNORE_EXCEPTION_DETAIL | doctest.ELLIPSIS
    )
    assert result.failed == 0
