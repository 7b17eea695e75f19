"""Reads published weights (safetensors, NumPy, MindSpore, PyTorch); reports which ones were used.

No reader executes code from the file: pickles are read by PyTorch's restricted unpickler alone.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple
from warnings import catch_warnings, simplefilter

import mindspore as ms
import ml_dtypes  # noqa: F401 - gives NumPy the type bfloat16
import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file

from ssdcore.core.errors import InputError
from ssdcore.core.nested import leaves

Arrays = dict[str, NDArray[np.float32]]

SHOWN_NAMES = 4
MAX_REASON = 256
"""Characters of another library's error in a message."""


def read_arrays(path: Path) -> Arrays:
    """Returns the arrays in `path` by name, converted to float32.

    The file is .safetensors, .npz, .ckpt (MindSpore), .pth, .pt or .bin (PyTorch); the last three
    need PyTorch, which the pipeline does not install.

    Raises:
        InputError: the suffix is unknown, the file is damaged or has no arrays, or PyTorch is
            missing.
    """
    if path.suffix not in READERS:
        expected = f"a file of weights ({', '.join(READERS)})"
        raise InputError(str(path), path.suffix, expected, "Convert it to safetensors")
    try:
        arrays = {
            name: _as_float32(path, name, array)
            for name, array in READERS[path.suffix](path).items()
        }
    except InputError:
        raise
    except Exception as error:  # readers of damaged files raise many types
        found = f"{type(error).__name__}: {str(error)[:MAX_REASON]}"
        remedy = "Fetch the file again; delete it first if it is in the cache"
        raise InputError(str(path), found, f"a whole {path.suffix} file", remedy) from error
    if not arrays:
        raise InputError(str(path), "no arrays", "a network's weights", "Take another file")
    return arrays


def _as_float32(path: Path, name: str, array: NDArray[Any]) -> NDArray[np.float32]:
    if np.iscomplexobj(array):
        raise InputError(f"{path}: {name}", array.dtype.name, "real numbers", "Take another file")
    return array.astype(np.float32, copy=False)


def _read_safetensors(path: Path) -> dict[str, NDArray[Any]]:
    try:
        return dict(sorted(load_file(path).items()))  # the file has no fixed order
    except (AttributeError, TypeError) as error:
        found, expected = f"another type of numbers ({error})", "types of NumPy, or bfloat16"
        raise InputError(str(path), found, expected, "Convert the file to F32") from error


def _read_numpy(path: Path) -> dict[str, NDArray[Any]]:
    with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


def _read_mindspore(path: Path) -> Arrays:
    values = ms.load_checkpoint(str(path))
    return {
        name: value.astype(ms.float32).asnumpy()
        for name, value in values.items()
        if isinstance(value, ms.Tensor)
    }


def _read_torch(path: Path) -> dict[str, NDArray[Any]]:
    try:
        torch = import_module("torch")
    except ModuleNotFoundError:
        raise InputError(
            str(path), "a PyTorch file but no PyTorch", "a file that can be read here",
            "Install PyTorch (pip install torch), or convert the file to safetensors elsewhere: "
            "safetensors.torch.save_file(torch.load(path, weights_only=True), target)",
        ) from None  # fmt: skip
    try:
        with catch_warnings():
            simplefilter("ignore")
            content: Any = torch.load(path, map_location="cpu", weights_only=True)
        entries = dict(leaves(content))  # trainings save the weights beside other state
    except (OSError, MemoryError):
        raise
    except Exception:  # many types; PyTorch's own texts recommend to run the file's code
        raise InputError(
            str(path), "a damaged file, or one with other objects than arrays",
            "dicts of arrays, as torch.save(model.state_dict(), path) writes them",
            "Fetch the file again, or save its arrays alone where you trust its code",
        ) from None  # fmt: skip
    return {
        name: (value if value.is_complex() else value.float()).detach().numpy()
        for name, value in entries.items()
        if isinstance(value, torch.Tensor)
    }


READERS: dict[str, Callable[[Path], dict[str, NDArray[Any]]]] = {
    ".safetensors": _read_safetensors,
    ".npz": _read_numpy,
    ".ckpt": _read_mindspore,
    ".pth": _read_torch,
    ".pt": _read_torch,
    ".bin": _read_torch,
}


class LoadReport(NamedTuple):
    """The outcome for every parameter of the network and every array of the file, each once."""

    loaded: dict[str, str]  # network parameter → the array of the file that it now holds
    unused: dict[str, str]  # array of the file → why it was not loaded as it is
    fresh: tuple[str, ...]  # network parameters that keep their initial values
    remarks: tuple[str, ...] = ()  # lines for a log that come first

    def lines(self) -> Iterator[str]:
        """Yields lines for a log: remarks, the counts, then the names, grouped by reason."""
        yield from self.remarks
        yield (
            f"{len(self.loaded)} parameters loaded, {len(self.fresh)} fresh; "
            f"{len(self.unused)} arrays of the file unused"
        )
        if self.loaded:
            yield f"loaded: {shortened(self.loaded)}"
        if self.fresh:
            yield f"fresh: {shortened(self.fresh)}"
        yield from self.unused_lines()

    def unused_lines(self) -> Iterator[str]:
        """Yields a line for each reason why arrays were not loaded."""
        groups = defaultdict(list)
        for name, reason in self.unused.items():
            groups[reason].append(name)
        for reason, names in groups.items():
            yield f"unused, {reason}: {shortened(names)}"


def some_arrays(arrays: Mapping[str, NDArray[Any]]) -> str:
    """Lists the first arrays of a file and their number, for a message."""
    some = ", ".join(f"{name} {a.shape}" for name, a in list(arrays.items())[:SHOWN_NAMES])
    return f"{some} … ({len(arrays)} arrays)"


def shortened(names: Iterable[str]) -> str:
    """Lists up to 4 names; of more, the first, the last and their count."""
    names = list(names)
    if len(names) <= SHOWN_NAMES:
        return ", ".join(names)
    return f"{names[0]} … {names[-1]} ({len(names)})"
