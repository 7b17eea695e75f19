import json
from pathlib import Path

import numpy as np
import pytest

from ssdcore.coco.annotations import read_coco
from ssdcore.coco.metrics import FIGURES, evaluate
from ssdcore.coco.results import CocoResults, write_results
from ssdcore.core.errors import InputError
from tests.coco_files import box, plain_pycocotools, write_coco

BY_CLASS = ("AP", "AP50", "AP75", "AR1", "AR10", "AR100")
CASES = Path(__file__).parents[3] / "shared/data/eval_parity"


@pytest.fixture
def truth(tmp_path) -> Path:
    """Two images; three circles and a square; no triangle; a crowd of circles."""
    rows = [
        box(1, 1, [10, 10, 50, 50], area=2500),
        box(1, 1, [100, 100, 40, 40], area=1600),
        box(2, 1, [10, 10, 50, 50], area=2500),
        box(2, 2, [80, 20, 100, 100], area=10_000),
        box(2, 1, [0, 200, 200, 40], area=8000, iscrowd=1),
    ]
    images = [{"id": i, "file_name": f"{i}.jpg", "height": 240, "width": 320} for i in (1, 2)]
    classes = [(1, "circle"), (2, "square"), (7, "none")]
    return write_coco(tmp_path / "truth.json", images, rows, classes)


def found(image, category, box, score=0.9):
    return {"image_id": image, "category_id": category, "bbox": box, "score": score}


def test_by_hand(truth):
    detections = [
        found(1, 1, [10, 10, 50, 50]),
        found(2, 2, [80, 20, 100, 100]),
        found(2, 1, [0, 200, 40, 40], 0.95),  # in the crowd: neither right nor wrong
    ]
    figures = evaluate(truth, detections)
    by_name = {row["name"]: row for row in figures["per_class"]}
    # one of three circles found, without a false one: precision 1 up to recall 1/3
    assert by_name["circle"]["AP50"] == pytest.approx(34 / 101)
    assert by_name["circle"]["AR100"] == pytest.approx(1 / 3)
    assert by_name["circle"]["objects"] == 3
    perfect = dict.fromkeys(BY_CLASS, 1)
    assert by_name["square"] == pytest.approx({"name": "square", **perfect, "objects": 1})
    undefined = dict.fromkeys(BY_CLASS, -1)
    assert by_name["none"] == {"name": "none", **undefined, "objects": 0}
    assert figures["AP"] == pytest.approx((34 / 101 + 1) / 2)
    curve = next(c for c in figures["pr_curves"] if c["name"] == "circle")
    assert curve["precision"][33] == pytest.approx(1)
    assert curve["precision"][34] == 0


def test_figures_of_a_class_equal_those_of_a_file_with_that_class_only(truth):
    """With one class, the twelve figures of pycocotools are those of the class."""
    detections = [
        found(1, 1, [10, 10, 50, 40]),  # IoU 0.8
        found(1, 1, [100, 100, 40, 25], 0.8),  # IoU 0.625
        found(2, 1, [150, 10, 50, 50], 0.95),
        found(2, 1, [10, 10, 50, 50], 0.3),
    ]
    circle = evaluate(truth, detections)["per_class"][0]
    content = json.loads(truth.read_text())
    content["categories"] = content["categories"][:1]
    truth.write_text(json.dumps(content))
    alone = evaluate(truth, detections)
    assert {name: circle[name] for name in BY_CLASS} == {name: alone[name] for name in BY_CLASS}
    assert len({circle[name] for name in BY_CLASS}) == 5  # AR10 and AR100 are alike


def test_no_detections_at_all(truth):
    figures = evaluate(truth, [])
    assert figures["AP"] == figures["AR100"] == 0
    assert [row["AP"] for row in figures["per_class"]] == [0, 0, -1]


def test_prints_nothing(truth, capsys):
    evaluate(truth, [])
    assert capsys.readouterr() == ("", "")


@pytest.mark.skipif(not CASES.is_dir(), reason="outside evaluator cases are not here")
@pytest.mark.parametrize("case", [p.name for p in sorted(CASES.glob("*/"))])
def test_outside_cases(case):
    expected = json.loads((CASES / case / "expected.json").read_text())
    detections = json.loads((CASES / case / "dt.json").read_text())
    figures = evaluate(CASES / case / "gt.json", detections)
    for name in FIGURES:
        assert figures[name] == pytest.approx(expected["stats"][name], abs=1e-12), name
    by_name = {row["name"]: row for row in figures["per_class"]}
    for category in expected["per_category"].values():
        row = by_name[category["name"]]
        for name in ("AP", "AP50", "AR100"):
            assert row[name] == pytest.approx(category[name], abs=1e-12)


def test_only_the_given_images_count(truth):
    detections = [found(1, 1, [10, 10, 50, 50]), found(1, 1, [100, 100, 40, 40])]
    figures = evaluate(truth, detections, image_ids=[1])
    assert figures["AP"] == pytest.approx(1)
    assert [row["objects"] for row in figures["per_class"]] == [2, 0, 0]
    assert evaluate(truth, detections)["AP"] < 0.5


@pytest.fixture
def many(tmp_path) -> tuple[Path, CocoResults]:
    """Objects and detections, with ties; the image ids are all equal as float64."""
    rng = np.random.default_rng(3)
    ids = [2**62 + n for n in range(40)]
    objects = [
        box(ids[n % 40], int(rng.integers(1, 4)), [*rng.integers(0, 60, 2).tolist(), 30, 30],
            area=900, iscrowd=int(n % 17 == 0))
        for n in range(1, 200)
    ]  # fmt: skip
    images = [{"id": id_, "file_name": "", "height": 100, "width": 100} for id_ in ids]
    truth = write_coco(tmp_path / "truth.json", images, objects, [(n, str(n)) for n in (1, 2, 3)])
    picked = rng.integers(0, len(objects), 1000)
    boxes = np.array([objects[n]["bbox"] for n in picked]) + rng.normal(0, 6, (1000, 4))
    results = CocoResults(
        np.array([objects[n]["image_id"] for n in picked], np.int64),
        np.array([objects[n]["category_id"] for n in picked], np.int64),
        boxes.round(3),
        rng.random(1000).round(2),
    )
    return truth, results


def test_columns_give_the_figures_of_pycocotools_on_the_written_file(many, tmp_path):
    truth, results = many
    assert len({float(id_) for id_ in results.image_ids.tolist()}) == 1
    write_results(tmp_path / "predictions.json", results)
    figures = evaluate(truth, results)
    expected = plain_pycocotools(truth, tmp_path / "predictions.json")
    assert [figures[name] for name in FIGURES] == expected
    assert figures["AP"] > 0.1
    assert evaluate(truth, list(results.rows())) == figures
    assert evaluate(read_coco(truth), results) == figures


def test_a_detection_in_an_image_that_does_not_count_is_refused(truth):
    for detections, image_ids in (
        ([found(3, 1, [0, 0, 5, 5])], None),
        ([found(1, 1, [0, 0, 5, 5]), found(2, 1, [0, 0, 5, 5])], [1]),
    ):
        with pytest.raises(InputError, match=f"of a detection: found {4 - len(detections)}"):
            evaluate(truth, detections, image_ids=image_ids)


def test_detections_of_an_unknown_category_do_not_count(truth):
    detections = [found(1, 1, [10, 10, 50, 50])]
    more = [*detections, found(1, 3, [10, 10, 50, 50], 0.95)]
    assert evaluate(truth, more) == evaluate(truth, detections)
