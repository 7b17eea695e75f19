import hashlib
import json
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from ssdcore.core.errors import InputError
from ssdcore.serving.candidate import COUNTED, read_candidate
from tests.serving import repositories
from tests.serving.repositories import DATA_MD5, write_lock, write_repository


@pytest.fixture
def repository(tmp_path: Path, checkpoint: Path) -> Path:
    return write_repository(tmp_path, checkpoint, ap=0.25)


def test_the_model_is_read_with_its_evaluation(repository, checkpoint):
    found = read_candidate(repository)
    assert found.sha256 == hashlib.sha256(checkpoint.read_bytes()).hexdigest()
    assert found.data_md5 == DATA_MD5
    assert found.counted == {
        "score_threshold": 0.01, "nms_iou": 0.45, "max_detections": 100,
        "max_per_class": None, "max_candidates": None,
    }  # fmt: skip
    assert (found.figures["AP"], found.figures["APs"]) == (0.25, None)


def test_dvcs_own_lock_has_the_keys_that_are_read():
    """The lock in git was written by DVC, not by these tests."""
    stage = YAML(typ="safe").load(repositories.ROOT / "dvc.lock")["stages"]["evaluate"]
    assert set(COUNTED) <= set(stage["params"]["params.yaml"]["evaluate"])
    assert {"data/mindrecord", "model/best.ckpt"} <= {dep["path"] for dep in stage["deps"]}
    assert "metrics/evaluate.json" in {out["path"] for out in stage["outs"]}


@pytest.mark.parametrize("name", ["model/best.ckpt", "metrics/evaluate.json"])
def test_a_changed_file_is_refused_with_both_hashes(repository, name):
    locked = hashlib.md5((repository / name).read_bytes()).hexdigest()
    (repository / name).unlink()
    (repository / name).write_text(json.dumps({"bbox": {"AP": 0.99}}))
    now = hashlib.md5((repository / name).read_bytes()).hexdigest()
    with pytest.raises(InputError, match=f"{name}: found '{now}', expected {locked}"):
        read_candidate(repository)


@pytest.mark.parametrize("name", ["model/best.ckpt", "metrics/evaluate.json", "dvc.lock"])
def test_a_missing_file_is_named_with_a_remedy(repository, name):
    (repository / name).unlink()
    with pytest.raises(InputError, match=rf"{name}: found .* Run dvc"):
        read_candidate(repository)


def test_a_model_without_evaluation_is_refused(repository):
    write_lock(repository)
    lock = (repository / "dvc.lock").read_text().replace("evaluate:\n    cmd", "train:\n    cmd")
    (repository / "dvc.lock").write_text(lock)
    with pytest.raises(InputError, match=r"found \['train'\], expected a record of evaluate"):
        read_candidate(repository)
