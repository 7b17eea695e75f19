import contextlib
import io
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from ssdcore.coco.annotations import read_coco
from ssdcore.coco.results import CocoResults, read_results
from ssdcore.evaluation.judged import judge_split
from ssdcore.evaluation.sizes import SHARES, SIDES_PX, sizes_px, sizes_share
from tests.coco_files import box, write_coco
from tests.evaluation.scenes import HEIGHT, WIDTH, write_scene

CASES = Path(__file__).parents[3] / "shared/data/eval_parity"


def by_pycocotools(truth: Path, results, sides_px):
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO(str(truth))
        evaluator = COCOeval(
            coco, coco.loadRes(list(results.rows())) if len(results) else COCO(), "bbox"
        )
        ranges = list(pairwise(sides_px))
        evaluator.params.areaRng = [[low**2, high**2] for low, high in ranges]
        evaluator.params.areaRngLbl = [str(one) for one in ranges]
        evaluator.evaluate()
        evaluator.accumulate()
    precision = evaluator.eval["precision"][..., -1]
    figures = []
    for number in range(len(ranges)):
        of_range = precision[:, :, :, number]
        figures.append([_mean(of_range), _mean(of_range[0])])
    return np.array(figures)


def _mean(values):
    return values[values > -1].mean() if (values > -1).any() else np.nan


def measured(truth, results, table=sizes_px):
    return table(judge_split(read_coco(truth), results, {})).records()


def precisions(rows):
    return np.array([(row["AP"], row["AP50"]) for row in rows], float)  # None is NaN


@pytest.mark.parametrize("seed", range(2))
def test_equals_pycocotools(tmp_path, seed):
    truth, results = write_scene(tmp_path, seed)
    expected = by_pycocotools(truth, results, SIDES_PX)
    ranges = measured(truth, results)
    np.testing.assert_allclose(precisions(ranges), expected, atol=1e-12)
    assert len(set(expected[:, 0])) == 6


@pytest.mark.parametrize("seed", range(2))
def test_shares_are_areas_where_all_images_are_of_one_size(tmp_path, seed):
    truth, results = write_scene(tmp_path, seed)
    side = (HEIGHT * WIDTH) ** 0.5
    expected = by_pycocotools(truth, results, [share * side for share in SHARES[:-1]] + [np.inf])
    ranges = measured(truth, results, sizes_share)
    np.testing.assert_allclose(precisions(ranges), expected, atol=1e-12)


@pytest.mark.skipif(not CASES.is_dir(), reason="outside evaluator cases are not here")
@pytest.mark.parametrize("case", ["coco_real_val_seed1", "edge_cases", "val2014_fakebbox100"])
def test_equals_pycocotools_on_outside_cases(case):
    truth, results = CASES / case / "gt.json", read_results(CASES / case / "dt.json")
    ranges = measured(truth, results)
    expected = by_pycocotools(truth, results, SIDES_PX)
    np.testing.assert_allclose(precisions(ranges), expected, atol=1e-12)


def of_squares(folder, sides_px, found=(), change=None):
    """The two tables of squares, each in an image of its own, some found with a score of 0.9."""
    size = {"height": 400, "width": 400}
    images = [{"id": i, "file_name": f"{i}.jpg", **size} for i in range(len(sides_px))]
    images[0].update(change or {})
    squares = [box(i, 1, [0, 0, side, side], area=side**2) for i, side in enumerate(sides_px)]
    path = write_coco(folder / "truth.json", images, squares, [(1, "square")])
    detections = [
        {"image_id": i, "category_id": 1, "bbox": [0, 0, sides_px[i], sides_px[i]], "score": 0.9}
        for i in found
    ]
    results = CocoResults.from_rows(detections)
    return [measured(path, results, table) for table in (sizes_px, sizes_share)]


def column(rows, name):
    return [row[name] for row in rows]


def test_objects_and_recall_by_hand(tmp_path):
    sizes, shares = of_squares(tmp_path, [10, 16, 24, 300], found=[0, 3])
    # a border belongs to both neighbours, as in COCO
    assert column(sizes, "objects") == [2, 2, 0, 0, 0, 1]
    assert column(sizes, "recall") == [0.5, 0, None, None, None, 1]
    assert column(sizes, "size")[::5] == ["0–16 px", "over 192 px"]
    assert (sizes[-1]["from"], sizes[-1]["to"]) == (192, None)
    # of 400 pixels: 0.025, 0.04, 0.06, 0.75
    assert column(shares, "objects") == [2, 1, 0, 0, 0, 1]
    assert column(shares, "AP")[1:] == [0, None, None, None, pytest.approx(1)]
    assert column(shares, "size")[::5] == ["0–5 %", "70–100 %"]
    assert (shares[-1]["from"], shares[-1]["to"]) == (0.7, 1)


def test_a_box_past_the_border_of_its_image_has_a_share(tmp_path):
    _, shares = of_squares(tmp_path, [500])
    assert shares[-1]["objects"] == 1


def test_an_image_of_unknown_size_has_no_shares_but_sizes(tmp_path):
    sizes, shares = of_squares(tmp_path, [100], change={"height": None})
    assert sum(column(sizes, "objects")) == 1
    assert sum(column(shares, "objects")) == 0
