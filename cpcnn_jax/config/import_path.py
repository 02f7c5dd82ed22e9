"""Functions and classes by their import paths, PACKAGE.MODULE:NAME."""

import importlib
import re
import sys
import sysconfig
import traceback
from pathlib import Path
from typing import Any

FORM = "PACKAGE.MODULE:NAME"
_PATTERN = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*")
# Folders of this package, of installed ones and of Python, whose lines explain nothing.
_FOREIGN = (
    *(str(Path(__file__).parents[1]), "<"),
    *(sysconfig.get_paths()[name] for name in ("stdlib", "purelib", "platlib")),
)


def is_import_path(text: object) -> bool:
    """Tests whether a value has the form of an import path.

    Example:
      >>> is_import_path("my_networks.unet:UNet"), is_import_path("cpcnn")
      (True, False)
    """
    return isinstance(text, str) and bool(_PATTERN.fullmatch(text))


def import_object(path: str) -> Any:
    """Imports the object of an import path.

    Modules of the current folder are found after all installed ones.

    Args:
      path: PACKAGE.MODULE:NAME.

    Raises:
      ValueError: there is no such module or name, or the module fails.

    Example:
      >>> import_object("math:floor")(1.5)
      1
      >>> import_object("math:flor")
      Traceback (most recent call last):
      ValueError: math has no flor
    """
    module_name, _, name = path.partition(":")
    module = _import_module(module_name)
    if not hasattr(module, name):
        raise ValueError(f"{module_name} has no {name}")
    return getattr(module, name)


def describe_failure(error: Exception) -> str:
    """Describes an error of imported code in one line, with its place in that code.

    Example:
      >>> describe_failure(KeyError()), describe_failure(ValueError("no\\nyes"))
      ('KeyError', 'ValueError: no')
    """
    kind, text = type(error).__name__, str(error).strip().partition("\n")[0]
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if not frame.filename.startswith(_FOREIGN)]
    place = f" ({own[-1].filename}, line {own[-1].lineno})" if own else ""
    return f"{kind}: {text}{place}" if text else f"{kind}{place}"


def _import_module(name):
    folder = str(Path.cwd())
    added = folder not in sys.path
    if added:
        sys.path.append(folder)
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name and f"{name}.".startswith(f"{error.name}."):
            text = f"there is no module {error.name}"
            raise ValueError(f"{text}, installed or in {folder}") from None
        raise ValueError(f"{name} cannot be imported: {error}") from error
    except Exception as error:  # of code that is not ours
        kind = type(error).__name__
        raise ValueError(f"{name} cannot be imported: {kind}: {error}") from error
    finally:
        if added and folder in sys.path:
            sys.path.remove(folder)
