import json
import pickle
import struct
import sys
from functools import partial
from types import ModuleType

import mindspore as ms
import numpy as np
import pytest
from safetensors.numpy import save_file

from ssdcore.core.errors import InputError
from ssdcore.models.weight_files import read_arrays

ARRAYS = {
    "features.0.weight": np.arange(24, dtype=np.float32).reshape(2, 3, 2, 2) / 7,
    "features.0.bias": np.array([0.5, -2.0], np.float32),
}


def write_checkpoint(path, arrays=ARRAYS, **extra):
    values = [{"name": name, "data": ms.Tensor(array)} for name, array in arrays.items()]
    ms.save_checkpoint(values, str(path), append_dict=extra or None)


def write_raw_safetensors(path, kind, shape, data):
    """Writes one tensor "a" of a type that NumPy may not have."""
    entry = {"a": {"dtype": kind, "shape": shape, "data_offsets": [0, len(data)]}}
    header = json.dumps(entry).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + data)


def assert_equal(arrays, expected):
    assert list(arrays) == list(expected)
    for name, array in expected.items():
        assert arrays[name].dtype == np.float32
        np.testing.assert_array_equal(arrays[name], array)


def refusal(path):
    with pytest.raises(InputError) as caught:
        read_arrays(path)
    assert caught.value.where == str(path)
    return str(caught.value)


WRITERS = {
    "a.safetensors": partial(save_file, dict(sorted(ARRAYS.items()))),
    "a.ckpt": partial(write_checkpoint, author="me"),
    "a.npz": lambda path: np.savez_compressed(path, **ARRAYS),
}


@pytest.mark.parametrize("name", WRITERS)
def test_arrays_come_back_and_damaged_files_are_refused(tmp_path, name):
    whole, damaged = tmp_path / name, tmp_path / f"damaged-{name}"
    WRITERS[name](whole)
    expected = sorted(ARRAYS.items()) if name == "a.safetensors" else ARRAYS
    assert_equal(read_arrays(whole), dict(expected))
    content = whole.read_bytes()
    for part in (b"", b"<html>404</html>", content[: len(content) // 2], content[:-1]):
        damaged.write_bytes(part)
        assert "whole" in refusal(damaged)


@pytest.mark.parametrize("kind", ["float16", "float64", "int64", "uint8", "bool"])
def test_other_types_of_safetensors_become_float32(tmp_path, kind):
    values = np.array([[0, 1, 1], [1, 0, 1]]) if kind == "bool" else np.array([[3, 0, 250]])
    save_file({"a": values.astype(kind)}, tmp_path / "a.safetensors")
    assert_equal(read_arrays(tmp_path / "a.safetensors"), {"a": values})


COMPLEX = {"one": np.array([1 + 2j], np.complex64)}
REAL_EXPECTED = "one: found 'complex64', expected real numbers"


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
def test_complex_numbers_are_refused(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    if suffix == ".npz":
        np.savez(path, **COMPLEX)
    else:
        save_file(COMPLEX, path)
    with pytest.raises(InputError, match=REAL_EXPECTED):
        read_arrays(path)


def test_bfloat16_becomes_float32(tmp_path):
    # sign, 8 bits of exponent, 7 of mantissa: 1, -2.5, 2^-126, not a number
    bits = np.array([[0x3F80, 0xC020], [0x0080, 0x7FC0]], "<u2")
    write_raw_safetensors(tmp_path / "a.safetensors", "BF16", [2, 2], bits.tobytes())
    expected = {"a": np.array([[1, -2.5], [2.0**-126, np.nan]])}
    assert_equal(read_arrays(tmp_path / "a.safetensors"), expected)


def test_a_type_that_numpy_lacks_is_named(tmp_path):
    write_raw_safetensors(tmp_path / "a.safetensors", "F8_E4M3", [2], b"ab")
    message = refusal(tmp_path / "a.safetensors")
    assert "float8_e4m3" in message
    assert "Convert the file to F32" in message


def test_other_types_of_checkpoints_become_float32(tmp_path):
    tensor = ms.Tensor(ARRAYS["features.0.bias"])
    for kind in (ms.float16, ms.bfloat16, ms.float64):
        value = [{"name": "a", "data": tensor.astype(kind)}]
        ms.save_checkpoint(value, str(tmp_path / "a.ckpt"))
        assert_equal(read_arrays(tmp_path / "a.ckpt"), {"a": ARRAYS["features.0.bias"]})


class Shouts:
    """Prints when it is unpickled."""

    def __reduce__(self):
        return print, ("code of the file ran",)


def test_numpy_files_run_no_code(tmp_path, capsys):
    np.savez(tmp_path / "a.npz", a=np.array([Shouts()], object))
    assert "Object arrays cannot be loaded" in refusal(tmp_path / "a.npz")
    assert capsys.readouterr().out == ""


def test_a_header_of_any_length_is_refused(tmp_path):
    for length in (2**60, 2**63 + 1, 100):
        (tmp_path / "a.safetensors").write_bytes(struct.pack("<Q", length) + b"{}")
        assert "whole .safetensors file" in refusal(tmp_path / "a.safetensors")


def test_files_without_arrays_are_refused(tmp_path):
    save_file({}, tmp_path / "a.safetensors")
    assert "no arrays" in refusal(tmp_path / "a.safetensors")


@pytest.mark.parametrize("name", ["weights.h5", "weights", "weights.pkl"])
def test_other_suffixes_are_refused(tmp_path, name):
    (tmp_path / name).write_bytes(b"")
    assert ".safetensors, .npz, .ckpt" in refusal(tmp_path / name)


@pytest.mark.parametrize("suffix", [".pth", ".pt", ".bin"])
def test_without_pytorch_its_files_are_refused_with_the_way_out(tmp_path, monkeypatch, suffix):
    monkeypatch.setitem(sys.modules, "torch", None)  # importing it then fails
    (tmp_path / f"a{suffix}").write_bytes(b"")
    message = refusal(tmp_path / f"a{suffix}")
    assert "pip install torch" in message
    assert "safetensors" in message


class FakeTensor:
    """The methods of torch.Tensor that the reader calls."""

    def __init__(self, array):
        self.array = array

    def detach(self):
        return self

    def is_complex(self):
        return np.iscomplexobj(self.array)

    def float(self):
        return FakeTensor(self.array.astype(np.float32))

    def numpy(self):
        return self.array


@pytest.mark.parametrize("keys", [(), ("state_dict",), ("model",), ("state_dict", "model")])
def test_pytorch_files_are_read_without_running_code(tmp_path, monkeypatch, keys):
    content = {name: FakeTensor(array.astype(np.float64)) for name, array in ARRAYS.items()}
    for key in reversed(keys):
        content = {key: content, "epoch": 3}
    calls = []

    def load(path, **options):
        calls.append((path, options))
        return content

    torch = ModuleType("torch")
    torch.Tensor, torch.load = FakeTensor, load
    monkeypatch.setitem(sys.modules, "torch", torch)
    prefix = "".join(f"{key}." for key in keys)
    expected = {prefix + name: array for name, array in ARRAYS.items()}
    assert_equal(read_arrays(tmp_path / "a.pth"), expected)
    assert calls == [(tmp_path / "a.pth", {"map_location": "cpu", "weights_only": True})]


def test_complex_numbers_of_pytorch_are_refused(tmp_path, monkeypatch):
    torch = ModuleType("torch")
    torch.Tensor = FakeTensor
    torch.load = lambda path, **_: {name: FakeTensor(array) for name, array in COMPLEX.items()}
    monkeypatch.setitem(sys.modules, "torch", torch)
    with pytest.raises(InputError, match=REAL_EXPECTED):
        read_arrays(tmp_path / "a.pth")


def test_pytorchs_own_files_are_arrays_or_one_line(tmp_path, capfd, recwarn):
    torch = pytest.importorskip("torch")
    path = tmp_path / "a.pth"
    arrays = {name: torch.from_numpy(array) for name, array in ARRAYS.items()}
    torch.save({"state_dict": arrays, "epoch": 3}, path)
    assert_equal(read_arrays(path), {f"state_dict.{name}": a for name, a in ARRAYS.items()})
    content = path.read_bytes()
    torch.save({"state_dict": arrays, "hooks": Shouts()}, path)
    damaged = (path.read_bytes(), pickle.dumps(Shouts()), content[: len(content) // 2], b"<html>")
    torch.save([*arrays.values()], path)
    for part in (*damaged, path.read_bytes()):
        path.write_bytes(part)
        message = refusal(path)
        assert "found 'a damaged file, or one with other objects than arrays'" in message
        assert "\n" not in message
    assert "ran" not in "".join(capfd.readouterr())
    assert not recwarn
