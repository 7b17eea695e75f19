"""A candidate read from made-up files; what they are in a repository is in test_compare.py."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from ssdcore.core.errors import InputError
from ssdcore.report.comparison.candidate import COMPARED, TABLES, Candidate, read_candidate

COCO = {
    "images": [{"id": 4, "file_name": "a.jpg", "height": 10, "width": 20}],
    "annotations": [{"id": 1, "image_id": 4, "category_id": 7, "bbox": [0, 0, 10, 5]}],
    "categories": [{"id": 7, "name": "cat"}],
}
RESULT = {"image_id": 4, "category_id": 7, "bbox": [0.0, 0.0, 9.5, 5.0], "score": 0.5}
SOURCE = {"splits": {"val": {"images": "v", "annotations_sha256": "ab", "images_sha256": "cd"}}}
TEXTS = ("text", "outcome")
COMPARED_TABLES = {
    str(path): ",".join(one.name for one in table.columns)
    + "\n"
    + ",".join("a" if one.format in TEXTS else "1" for one in table.columns)
    for path, table in TABLES
    if table.chart and table.chart.kind in COMPARED
}
"""A file with one row for each table that is compared; `FILES` has others for some."""
FILES = {
    **COMPARED_TABLES,
    "params.yaml": "train:\n  lr_max: 1e-6\n  clip: {norm: null}\n",
    "requirements.lock": "mindspore==2.8.0 \\\n  --hash=x\nmindspore-lite==9\ndvc==3.1 ; sys\n",
    "metrics/evaluate.json": '{"bbox": {"AP": 0.5, "APs": -1}, "images": 3, "device": "CPU"}',
    "metrics/train.json": '{"loss": 2.5, "best": {"epoch": 4}, "ok": true}',
    "plots/history.csv": "step,loss,new,lr,images_per_second,val_AP\n"
    "1,4,x,1,9,\n2,,x,1,9,\n3,nan,x,1,9,\n4,2.5,x,1,9,0.25\n",
    "evaluation/per_class.csv": 'name,AP,objects\n"cat, ""big""",0.5,3\ndog,-1,0\n',
    "evaluation/pr_curves.csv": "class,recall,precision\na,0,1\na,.5,.4\nb,.5,.2\nb,0,.5\n",
    "evaluation/predictions.json": json.dumps([RESULT]),
    "evaluation/score_curves.csv": "class,score,f1\ncat,0,1\nall,0,0.2\nall,.5,.6\nall,1,\n",
    "evaluation/errors.csv": "kind,count,AP50_cost\nmissed,2,0.125\n",
    "evaluation/calibration.csv": "mean_score,precision\n0.5,0.4\n,\n",
    "evaluation/sizes.csv": "size,AP\nsmall,0.5\nlarge,-1\n",
    "evaluation/shares.csv": "size,AP\nsmall,0.5\n",
    "data/raw/source.json": json.dumps(SOURCE),
    "data/mindrecord/ground_truth_val.json": json.dumps(COCO),
}


def candidate(files: Mapping[str, str]) -> Candidate:
    contents = {Path(name): text.encode("utf-8", "surrogateescape") for name, text in files.items()}
    return read_candidate("one", {"commit": "d66a075"}, contents.get)


def test_everything_is_read():
    one = candidate(FILES)
    assert one.name == "one"
    assert one.lacks == []
    assert one.facts == {
        "commit": "d66a075", "evaluated on": "val", "device": "CPU", "mindspore": "2.8.0",
        "dvc": "3.1",
    }  # fmt: skip
    assert one.params == {"train.lr_max": 1e-6, "train.clip.norm": None}
    assert one.figures == {
        "evaluate.bbox.AP": 0.5, "evaluate.images": 3, "train.loss": 2.5, "train.best.epoch": 4,
    }  # fmt: skip
    bars = {name: one.values[name] for name in ("per_class", "errors", "sizes", "shares")}
    assert bars == {
        "per_class": {'cat, "big"': 0.5, "dog": None},
        "errors": {"missed": 0.125},
        "sizes": {"small": 0.5, "large": None},
        "shares": {"small": 0.5},
    }
    assert one.data == "ab cd"


def test_a_test_split_is_compared_on_its_own_images_beside_the_figures_of_val():
    """An evaluation of val and one of test are of other images, and are never subtracted."""
    names = ("data/raw/source.json", "data/mindrecord/ground_truth_val.json")
    files = {name: text for name, text in FILES.items() if name not in names}
    source = FILES[names[0]].replace('"val"', '"test"').replace("ab", "12")
    files |= {
        "data/raw/source_test.json": source,
        "data/test/ground_truth_test.json": json.dumps(COCO),
    }
    evaluated = {**json.loads(FILES["metrics/evaluate.json"]), "split": "test"}
    files["metrics/evaluate.json"] = json.dumps(evaluated)
    files["metrics/validation.json"] = json.dumps({"split": "val", "bbox": {"AP": 0.75}})
    one = candidate(files)
    assert one.lacks == []
    assert one.facts["evaluated on"] == "test"
    assert one.figures["evaluate.bbox.AP"] == 0.5
    assert one.figures["validation.bbox.AP"] == 0.75
    assert one.data == "12 cd"
    assert one.detected
    assert one.detected.images == "v"


def test_of_curves_the_line_of_all_classes_is_read_or_else_their_mean():
    one = candidate(FILES)
    assert one.values["score_curves"] == {0: 0.2, 0.5: 0.6}
    assert one.values["pr_curves"] == {0: 0.75, 0.5: pytest.approx(0.3)}


def test_a_class_named_all_is_not_taken_for_all_classes():
    """The evaluation then calls all classes together (all)."""
    files = {
        **FILES,
        "evaluation/per_class.csv": "name,AP,objects\nall,0.5,3\ndog,0.4,2\n",
        "evaluation/score_curves.csv": "class,score,f1\n(all),0,0.6\nall,0,0.2\ndog,0,0.9\n",
        "evaluation/pr_curves.csv": "class,recall,precision\n(all),0,0.6\nall,0,0.2\ndog,0,1\n",
    }
    values = candidate(files).values
    assert values["score_curves"] == values["pr_curves"] == {0: 0.6}


@pytest.mark.parametrize("mark", ["", " (not fetched)"])
def test_no_unchecked_annotations_stand_in_for_the_ground_truth(mark):
    """Those of data/raw hold boxes that convert drops, and were not what was evaluated."""
    truth, raw = "data/mindrecord/ground_truth_val.json", "data/raw/annotations/instances_val.json"
    contents = {Path(name): text.encode() for name, text in FILES.items() if name != truth}
    contents[Path(raw)] = FILES[truth].encode()

    def read(path: Path) -> bytes | None:
        if mark and path == Path(truth):
            raise InputError(truth, "nothing", "a file in DVC's cache", "Push it")
        return contents.get(path)

    one = read_candidate("one", {}, read)
    assert one.lacks == [truth + mark]
    assert one.detected is None
    assert one.resamples == {}


def test_a_training_that_measured_otherwise_is_a_fact():
    said = "AP in training is measured with nms_iou 0.45 (evaluate: 0.5)"
    evaluated = json.dumps({"bbox": {}, "validation_remark": said})
    assert candidate({**FILES, "metrics/evaluate.json": evaluated}).facts["training"] == said


def test_the_figures_of_resamples_are_there():
    resamples = candidate(FILES).resamples
    assert {"evaluate.bbox.AP", "evaluate.bbox.ARl", "per_class/cat"} < set(resamples)
    assert resamples["evaluate.bbox.AP50"] == pytest.approx(1)
    elsewhere = json.dumps([{**RESULT, "image_id": 5}])
    other = candidate({**FILES, "evaluation/predictions.json": elsewhere})
    assert other.resamples == {}
    assert other.lacks == ["evaluation/predictions.json (of other images)"]


def test_a_revision_without_detections_is_compared():
    nothing = candidate({**FILES, "evaluation/predictions.json": "[]"})
    assert (nothing.lacks, nothing.detected is None) == ([], False)
    assert nothing.resamples["evaluate.bbox.AP50"] == pytest.approx(0)


@pytest.mark.parametrize("name", sorted(FILES))
def test_a_missing_file_is_named_and_takes_nothing_else_with_it(name):
    gone = candidate({key: text for key, text in FILES.items() if key != name})
    assert gone.lacks == [name]
    assert len(keys_of(gone)) < len(keys_of(candidate(FILES)))
    assert keys_of(gone) <= keys_of(candidate(FILES))


def keys_of(one: Candidate) -> set[str]:
    """The keys of all values of a candidate."""
    kinds = {"facts": one.facts, "params": one.params, "figures": one.figures, "values": one.values}
    keys = {f"{kind} {key}" for kind, values in kinds.items() for key in values}
    keys |= {"detections"} if one.detected else set()
    return keys | {f"data {one.data}"} - {"data "}


@pytest.mark.parametrize("text", ["[", "{]", "\udcff\udcfe", "7", "a: [1", ""])
@pytest.mark.parametrize("name", [n for n in FILES if n.endswith((".json", ".yaml"))])
def test_an_unreadable_file_is_named(name, text):
    assert candidate({**FILES, name: text}).lacks == [f"{name} (unreadable)"]


@pytest.mark.parametrize("key", RESULT)
def test_detections_of_another_form_are_named(key):
    name = "evaluation/predictions.json"
    rows = [{**RESULT, key: "?"}], [{k: v for k, v in RESULT.items() if k != key}]
    for unlike in rows:
        one = candidate({**FILES, name: json.dumps(unlike)})
        assert (one.lacks, one.detected) == ([f"{name} (unreadable)"], None)
