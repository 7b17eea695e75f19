import errno
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from ssdcore.core.errors import InputError, RunError
from ssdcore.data import mindrecord
from ssdcore.data.mindrecord import COLUMNS, Record, find_shards, to_sample, write_shards
from tests.data.samples import NOTHING, objects


def records(count, size=2000):
    rng = np.random.default_rng(0)
    for n in range(count):
        yield Record(n, rng.bytes(size), objects([[0, 0, 1, 1]], [1]) if n % 2 else NOTHING)


def ids(shards, sampler=None):
    import mindspore.dataset as ds

    sampler = sampler or ds.SequentialSampler()
    table = ds.MindDataset([str(p) for p in shards], list(COLUMNS), sampler=sampler)
    return [int(row[0]) for row in table.create_tuple_iterator(num_epochs=1, output_numpy=True)]


@pytest.mark.parametrize("shards", [1, 4])
def test_the_same_records_give_the_same_bytes_in_any_number_of_shards(tmp_path, shards):
    """Five times, because MindSpore's own distribution of rows only differs sometimes."""
    contents = []
    for n in range(5):
        write_shards(tmp_path / str(n) / "x", records(90, 50_000), shards)
        contents.append({p.name: p.read_bytes() for p in (tmp_path / str(n)).iterdir()})
    assert len(contents[0]) == 2 * shards
    assert all(content == contents[0] for content in contents)


@pytest.mark.parametrize(
    ("rows", "shards", "names"),
    [(3, 1, ["x"]), (3, 2, ["x0", "x1"]), (3, 10, ["x0", "x1", "x2"]),
     (3, 11, ["x00", "x01", "x02"]), (150, 4, ["x0", "x1", "x2", "x3"])],
)  # fmt: skip
def test_rows_are_distributed_in_turn_and_no_shard_is_empty(tmp_path, rows, shards, names):
    assert [p.name for p in write_shards(tmp_path / "x", records(rows), shards)] == names
    found = find_shards(tmp_path / "x")
    assert [p.name for p in found] == names
    expected = [n for first in range(len(found)) for n in range(first, rows, len(found))]
    assert ids(found) == expected


def test_a_missing_shard_or_index_is_named(tmp_path):
    (shard,) = write_shards(tmp_path / "x", records(2), 1)
    (tmp_path / "x.db").unlink()
    with pytest.raises(InputError, match=r"x\.db: found 'no file'.* dvc repro --force convert"):
        find_shards(tmp_path / "x")
    shard.unlink()
    with pytest.raises(InputError, match="x: found 'no file'"):
        find_shards(tmp_path / "x")


def test_without_records_nothing_is_written(tmp_path):
    assert write_shards(tmp_path / "x", [], 2) == []


def test_samples_of_large_images_are_reduced():
    """Everything that reads the shards calls `to_sample`."""
    data = cv2.imencode(".jpg", np.zeros((2000, 2400, 3), np.uint8))[1].tobytes()
    row = np.zeros((1, 6), np.float32)
    sample = to_sample(np.array(data + mindrecord.END), np.array(0), row)
    assert sample.rgb.shape == (1000, 1200, 3)


@pytest.mark.parametrize(
    ("text", "free", "error", "told"),
    [
        ("[ERROR] No free disk to be used.\n", 1 << 40, OSError, "No space left on device"),
        ("Failed to commit.\n", 0, OSError, "No space left on device"),
        ("Failed.\n---\n[ERROR] A b.\n--- C++ Call Stack", 1 << 40, RunError, r"/x: A b\. Run"),
        ("Failed.\nstack", 1 << 40, RunError, r"/x: Failed\. Run the convert stage again\.$"),
    ],
)
def test_an_error_of_the_writer_is_one_line(tmp_path, monkeypatch, text, free, error, told):
    def fail(*arguments):
        raise RuntimeError(text)

    monkeypatch.setattr(mindrecord.FileWriter, "write_raw_data", fail)
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=free))
    with pytest.raises(error, match=told) as caught:
        write_shards(tmp_path / "x", records(2))
    assert error is RunError or caught.value.errno == errno.ENOSPC
