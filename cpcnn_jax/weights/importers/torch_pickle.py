"""What torch.save wrote, read by numpy alone: tensors, and nothing that runs.

A .pth file is a pickle, which can call whatever it names. This reader lets it name
dictionaries, the kinds of storage and the functions that make a tensor of one, and it
answers with its own. Both layouts are read: a zip archive, and what was written before.
"""

import collections
import io
import math
import pickle
import zipfile
from pathlib import Path
from typing import NamedTuple

import numpy as np

STORAGES = {
    "DoubleStorage": "<f8",
    "FloatStorage": "<f4",
    "HalfStorage": "<f2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
}
MAGIC = 0x1950A86A20F9469CFC6C  # the first pickle of the older layout
OLDER = pickle.dumps(MAGIC, 2)  # how such a file begins


class _Tensor(NamedTuple):
    """A tensor whose numbers are not there yet."""

    key: str  # of its storage
    offset: int
    shape: tuple
    strides: tuple


# The C implementation makes room for any place in its memo that a pickle names.
class _Tensors(pickle._Unpickler):
    def __init__(self, file):
        super().__init__(file)
        self.kinds = {}  # of storage: its key to numpy's name of its numbers

    def find_class(self, module, name):
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if module == "torch" and name in STORAGES:
            return STORAGES[name]
        if module == "torch._utils" and name in (
            "_rebuild_tensor",
            "_rebuild_tensor_v2",
        ):
            return self.tensor
        if (module, name) == ("torch._utils", "_rebuild_parameter"):
            return self.parameter
        raise pickle.UnpicklingError(f"it names {module}.{name}, which is no tensor")

    def persistent_load(self, saved):
        word, kind, key = saved[:3]
        if (
            word != "storage"
            or kind not in STORAGES.values()
            or saved[5:]
            not in (
                (),
                (None,),
            )
        ):
            raise pickle.UnpicklingError(f"it names {saved!r}, which is no storage")
        self.kinds[key] = kind
        return key

    def tensor(self, key, offset, shape, strides, *_):
        return _Tensor(key, offset, shape, strides)

    def parameter(self, tensor, *_):
        return tensor


def read(path):
    """Read the tensors of a state dict.

    Args:
      path: of a file that torch.save wrote; the state dict is what it holds, or its
        entry "state_dict".

    Returns:
      Dict of name to numpy array; what is no tensor is left out.

    Raises:
      ValueError: it is damaged, holds no state dict, or more than tensors.
    """
    data = Path(path).read_bytes()
    layout = _older if data.startswith(OLDER) else _zipped
    try:
        tree, kinds, storages = layout(data)
        if not isinstance(tree, dict):
            raise ValueError(f"it holds a {type(tree).__name__}, not a dictionary")
        tree = tree.get("state_dict", tree)
        found = {
            name: _array(value, kinds, storages)
            for name, value in tree.items()
            if isinstance(value, _Tensor)
        }
    except Exception as error:  # a pickle can be wrong in any way
        words = str(error) or type(error).__name__
        raise ValueError(f"{path} cannot be read as PyTorch's: {words}") from None
    if not found:
        raise ValueError(f"{path} holds no tensors by name")
    return found


def _zipped(data):
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        if any(m.compress_type != zipfile.ZIP_STORED for m in archive.infolist()):
            raise ValueError("its members are compressed, which torch.save never does")
        (member,) = [n for n in archive.namelist() if n.endswith("/data.pkl")]
        folder = member.removesuffix("data.pkl")
        if f"{folder}byteorder" in archive.namelist():
            if archive.read(f"{folder}byteorder") != b"little":
                raise ValueError("its numbers are big-endian")
        reader = _Tensors(io.BytesIO(archive.read(member)))
        tree = reader.load()
        keys = reader.kinds
        return tree, keys, {k: archive.read(f"{folder}data/{k}") for k in keys}


def _older(data):
    file = io.BytesIO(data)
    for _ in ("the magic number", "the version", "the system"):
        _Tensors(file).load()
    reader = _Tensors(file)
    tree = reader.load()
    storages = {}
    for key in _Tensors(file).load():
        (size,) = np.frombuffer(file.read(8), "<i8")
        length = int(size) * np.dtype(reader.kinds[key]).itemsize
        if not 0 <= length <= len(data):
            raise ValueError("a storage is longer than the file")
        storages[key] = file.read(length)
    return tree, reader.kinds, storages


def _array(tensor, kinds, storages):
    """A tensor's numbers; those of a hostile file lie in its storage, too."""
    key, offset, shape, strides = tensor
    numbers = np.frombuffer(storages[key], kinds[key])
    steps = zip(shape, strides, strict=True)
    last = offset + sum((length - 1) * stride for length, stride in steps)
    whole = [*shape, *strides, offset]
    if not all(isinstance(n, int) and n >= 0 for n in whole) or last >= numbers.size:
        raise ValueError("a tensor lies outside of its storage")
    if math.prod(shape) > numbers.size:
        raise ValueError("a tensor is larger than its storage")
    size = numbers.itemsize
    steps = [stride * size for stride in strides]
    view = np.lib.stride_tricks.as_strided(numbers[offset:], shape, steps)
    return np.ascontiguousarray(view).reshape(shape)
