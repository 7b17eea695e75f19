import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ssdcore.core.errors import InputError
from ssdcore.training.snapshots import Snapshot, Snapshots


@pytest.fixture
def store(tmp_path):
    return Snapshots(tmp_path / "states")


def snapshot(value: float, files: dict[str, Path] | None = None) -> Snapshot:
    arrays = {"w": np.full((2, 3), value, np.float32), "n": np.array(7, np.int32)}
    return Snapshot({"step": value}, arrays, files or {})


def test_what_is_saved_comes_back_bit_for_bit(store, tmp_path, rng):
    best = tmp_path / "best.ckpt"
    best.write_bytes(b"weights")
    values = rng.normal(size=(5, 4, 3)).astype(np.float32)
    arrays = {"turned": values.transpose(2, 0, 1), "part": values[::2, 1:], "none": values[:0],
              "count": np.array(2**40, np.int64), "half": values.astype(np.float16)}  # fmt: skip
    store.save(3, Snapshot({"epoch": 1, "ä": [0.1, None]}, arrays, {"best.ckpt": best}))
    best.unlink()
    found = store.newest()
    assert found.progress == {"epoch": 1, "ä": [0.1, None]}
    assert found.files["best.ckpt"].read_bytes() == b"weights"
    assert set(found.arrays) == set(arrays)
    for name, value in arrays.items():
        np.testing.assert_array_equal(found.arrays[name], value)
        assert found.arrays[name].dtype == value.dtype


def test_the_newest_two_are_kept(store):
    assert store.newest() is None
    for number in (1, 5, 12, 100):
        store.save(number, snapshot(number))
    assert store.numbers() == [12, 100]
    assert store.newest().progress == {"step": 100}


@pytest.mark.parametrize("name", ["progress.json", "arrays.safetensors", "manifest.json", "b"])
@pytest.mark.parametrize("damage", ["cut", "changed", "gone"])
def test_a_damaged_snapshot_warns_and_the_older_one_is_used(store, tmp_path, name, damage, capsys):
    (tmp_path / "b").write_bytes(b"0123456789")
    store.save(1, snapshot(1, {"b": tmp_path / "b"}))
    (tmp_path / "b").unlink()
    (tmp_path / "b").write_bytes(b"9876543210")
    store.save(2, snapshot(2, {"b": tmp_path / "b"}))
    victim = store.folder / "0000000002" / name
    data = victim.read_bytes()
    victim.unlink()
    if damage != "gone":
        victim.write_bytes(data[: len(data) // 2] if damage == "cut" else b"\0" + data[1:])
    found = store.newest()
    assert found.progress == {"step": 1}
    assert found.files["b"].read_bytes() == b"0123456789"
    assert "0000000002 is damaged" in capsys.readouterr().out


def test_an_unfinished_one_is_none(store, monkeypatch):
    store.save(1, snapshot(1))

    def end(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("ssdcore.training.snapshots.save_file", end)
        store.save(2, snapshot(2))
    assert store.numbers() == [1]
    (store.folder / ".0000000003.part").mkdir()  # a kill leaves this
    assert store.newest().progress == {"step": 1}
    store.save(3, snapshot(3))
    assert store.newest().progress == {"step": 3}


def test_the_finished_one_replaces_all_others_and_clearing_keeps_foreign_files(store):
    store.save(1, snapshot(1))
    store.finish(snapshot(2))
    assert (store.newest(), store.finished().progress) == (None, {"step": 2})
    (store.folder / "profile.json").write_text("{}")
    store.clear()
    assert [p.name for p in store.folder.iterdir()] == ["profile.json"]
    (store.folder / "profile.json").unlink()
    store.clear()
    assert not store.folder.exists()


FULL = """
import sys
from pathlib import Path
import numpy as np
from ssdcore.core import machine_faults
from ssdcore.core.errors import InputError
from ssdcore.training.snapshots import Snapshot, Snapshots
machine_faults.ROOM_S = 0.1
store = Snapshots(Path(sys.argv[1]) / "states")
store.save(1, Snapshot({}, {"w": np.arange(1000.0)}, {}))
try:
    store.save(2, Snapshot({}, {"w": np.zeros(1_000_000)}, {}))
except InputError as error:
    print(error)
assert (store.newest().arrays["w"] == np.arange(1000.0)).all()
print(sorted(p.name for p in store.folder.iterdir()))
"""


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root may mount")
def test_a_full_disk_is_one_error_and_the_older_one_stays(tmp_path):
    unshare = shutil.which("unshare")
    mount = f"mount -t tmpfs -o size=2m tmpfs {tmp_path}"
    python = f'{sys.executable} -c "$SCRIPT" {tmp_path}'
    done = subprocess.run(
        [unshare, "--mount", "sh", "-c", f"{mount} && {python}"],
        cwd=Path(__file__).parents[2], env={**os.environ, "SCRIPT": FULL},
        capture_output=True, text=True,
    )  # fmt: skip
    if "mount:" in done.stderr or "unshare:" in done.stderr:
        pytest.skip(f"no mounts here: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    error, names = done.stdout.splitlines()
    assert "No space left on device" in error
    assert "it resumes after step 1" in error
    assert names == "['0000000001']"


def test_a_folder_that_cannot_be_written_is_one_error(tmp_path):
    (tmp_path / "states").write_text("a file in the way")
    with pytest.raises(InputError, match=r"states: found '.*', expected a writable disk"):
        Snapshots(tmp_path / "states").save(1, snapshot(1))
