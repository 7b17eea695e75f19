from pathlib import Path

import pytest

from ssdcore.core.errors import InputError
from ssdcore.dvc.lock import parse_lock, read_lock

ROOT = Path(__file__).parents[2]
TEXT = """
schema: '2.0'
stages:
  convert:
    cmd: python -m stages.convert
    deps:
    - path: data/raw
      md5: aa.dir
    - path: s3://bucket/data.zip
      etag: cc
    params:
      params.yaml:
        convert:
          shards: 1
          limit:
        dataset.name: shapes
    outs:
    - path: data/mindrecord
      md5: bb.dir
  report:
    cmd: python -m stages.report
"""


def test_hashes_and_dotted_parameters_of_each_stage():
    stages = parse_lock(TEXT)
    assert list(stages) == ["convert", "report"]
    assert stages["convert"] == (
        {"data/raw": "aa.dir", "s3://bucket/data.zip": ""},
        {"convert.shards": 1, "convert.limit": None, "dataset.name": "shapes"},
        {"data/mindrecord": "bb.dir"},
    )
    assert stages["report"] == ({}, {}, {})


def test_the_committed_lock():
    stages = read_lock(ROOT / "dvc.lock")
    assert stages["convert"].outs["data/mindrecord"] == stages["train"].deps["data/mindrecord"]
    assert stages["evaluate"].params["evaluate.nms_iou"] == 0.45


@pytest.mark.parametrize(
    "text",
    [
        "<<<<<<< HEAD\n: [",
        "",
        "schema: '2.0'",
        "[]",
        "stages: []",
        "stages: {a: }",
        "\udcff",
        "stages: {a: {outs: [{md5: b}]}}",
        "stages: {a: {params: [b]}}",
        "? {}\n: 2020-99-99",
    ],
)
def test_a_broken_lock_is_wrong_input(tmp_path, text):
    (tmp_path / "dvc.lock").write_text(text, encoding="utf-8", errors="surrogateescape")
    with pytest.raises(InputError, match=r"dvc\.lock: found .* Run dvc repro"):
        read_lock(tmp_path / "dvc.lock")


def test_a_missing_lock_is_wrong_input(tmp_path):
    with pytest.raises(InputError, match=r"dvc\.lock: found 'no file'"):
        read_lock(tmp_path / "dvc.lock")
