import hashlib
import json
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from ssdcore.core.errors import InputError
from ssdcore.inference.decode import Thresholds
from ssdcore.serving.version import Candidate, Version, is_better, read_candidate, tags_of
from tests.serving import repositories
from tests.serving.repositories import write_lock, write_model, write_repository


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return write_repository(tmp_path, write_model(tmp_path / "made"), ap=0.25)


def test_tiles_count_if_there_are_some(tmp_path):
    checkpoint = write_model(tmp_path / "made")
    found = read_candidate(write_repository(tmp_path, checkpoint, tile=600))
    assert found.counted["tile"] == 600


def test_dvcs_own_lock_has_the_keys_that_are_read():
    """The lock in git was written by DVC, not by these tests."""
    stage = YAML(typ="safe").load(repositories.ROOT / "dvc.lock")["stages"]["evaluate"]
    assert set(Thresholds().texts()) <= set(stage["params"]["params.yaml"]["evaluate"])
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


def test_an_export_with_other_thresholds_is_refused(repository):
    write_lock(repository, max_candidates=400)  # which no exported file has
    read_candidate(repository)
    write_lock(repository, nms_iou=0.6)
    found = r"evaluate\.nms_iou of .*photos\.onnx: found 0\.45, expected 0\.6, .*dvc repro export"
    with pytest.raises(InputError, match=found):
        read_candidate(repository)


def test_a_model_without_evaluation_is_refused(repository):
    write_lock(repository)
    lock = (repository / "dvc.lock").read_text().replace("evaluate:\n    cmd", "train:\n    cmd")
    (repository / "dvc.lock").write_text(lock)
    with pytest.raises(InputError, match=r"found \['train'\], expected a record of evaluate"):
        read_candidate(repository)


def version(number: str = "1", ap: float | None = 0.5, **changed) -> Version:
    fields = {
        "exported": Path("a.onnx"), "sha256": "5ab1e" * 10, "data_md5": "da7a" * 8 + ".dir",
        "counted": {"score_threshold": 0.01}, "export_sha256": "e4ab" * 16,
        "figures": {"AP": ap, "APs": None},
    }  # fmt: skip
    return Version(number, tags_of(Candidate(**fields | changed)))


def test_a_tag_that_is_no_figure_is_refused():
    """Anybody who can write to the server can write tags."""
    with pytest.raises(InputError, match=r"bbox\.AP of version 3: found 'x', expected a number"):
        is_better(version(), Version("3", {"bbox.AP": "x"}))


@pytest.mark.parametrize(
    ("new", "champion", "better"),
    [(0.5, 0.4, True), (0.5, 0.5, False), (0.4, 0.5, False), (None, 0.1, False), (0.1, None, True)],
)
def test_only_a_greater_ap_is_better(new, champion, better):
    assert is_better(version(ap=new), version(ap=champion)) is better
