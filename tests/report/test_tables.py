import numpy as np
import pytest

from ssdcore.core.errors import InputError
from ssdcore.data.preprocess import NetworkInput
from ssdcore.geometry.default_boxes import TUTORIAL_SCALES
from ssdcore.geometry.feature_maps import LAYOUTS
from ssdcore.report.tables import SIZE_BINS, SplitData, data_tables, loss_rise, training_tables
from tests.coco_files import box
from tests.report.conftest import HISTORY, conversion, split_of


def training(text):
    return {table.name: table for table in training_tables(text)}


def test_history_is_read_into_its_tables():
    tables = training(HISTORY)
    assert tables["loss"].rows == [(10, 8, 5, 3), (20, 6, 4, 2), (30, 5, 3, 2), (40, 4, 3, 1)]
    assert tables["loss"].note.startswith("40 steps, 2 epochs. ")
    assert tables["learning_rate"].values("lr") == [0.001, 0.002, 0.001, 0]
    assert tables["speed"].values("images_per_second") == [20, 21, 22, 21]
    assert tables["validation"].rows == [(20, 1, 0.2, 0.4), (40, 2, 0.4, 0.6)]


def test_a_rise_of_the_loss_is_found():
    assert loss_rise(HISTORY) is None
    higher = HISTORY.replace("30,2,5,2,3", "30,2,50,2,3")
    rise = loss_rise(higher)
    assert rise
    assert (rise.epoch, rise.loss, rise.start, rise.rate) == (2, 27, 7, 0.002)


def test_history_without_a_step_has_no_rows():
    assert [table.rows for table in training_tables(HISTORY.splitlines()[0])] == [[]] * 4


def test_another_history_is_refused():
    with pytest.raises(InputError, match=r"^plots/history.csv:1: found 'step,loss', expected a"):
        training("step,loss\n")
    with pytest.raises(InputError, match=r"^plots/history.csv:2, loss: found 'oops', expected a n"):
        training(HISTORY.replace("8,3", "oops,3"))


def test_a_split_by_hand():
    rows = [
        box(image_id, category_id, bbox, iscrowd=int(category_id == 1))
        for image_id in (5, 6)
        for category_id, bbox in ((9, [0, 0, 5, 5]), (9, [0, 0, 8, 2]), (1, [0, 0, 10, 10]))
    ]
    split = split_of([5, 6], rows, {1: "cat", 9: "dog"})
    converted = {**conversion(1, 2, 3), "skipped_files": [{"file_name": "b.jpg", "image_id": 6}]}
    data = {"val": SplitData(split, converted)}
    found = data_tables(data, LAYOUTS[300].with_aspect_ratios([()] * 6), TUTORIAL_SCALES)
    tables = {table.name: table for table in found}
    # squares fit one of two objects; the crowd does not count
    assert tables["splits"].rows == [("val", 1, 2, 31, 2, 3, 0.5, 77, 88, 99)]
    assert tables["left_out"].rows == [("val", "images", "no objects", 2),
                                       ("val", "boxes", "no area", 3)]  # fmt: skip
    assert tables["objects"].rows == [("cat", 0), ("dog", 2)]
    share = np.array(tables["box_sizes"].values("val"))
    assert share[:-1].sum() == 1
    assert share[np.searchsorted(SIZE_BINS, 0.5, "right") - 1] == 0.5


def test_fitted_objects_are_those_of_the_networks_input():
    """A square object of a wide image is a tall one where the image is stretched."""
    split = split_of([5], [box(5, 1, [178, 29, 39, 39])], {1: "cat"}, height=100, width=400)
    data = {"val": SplitData(split, {**conversion(1, 0, 0), "skipped_files": []})}
    squares = LAYOUTS[300].with_aspect_ratios([()] * 6)
    for resize, fitted, side in (("stretch", 0, 0.195), ("letterbox", 1, 0.0975)):
        found = data_tables(data, squares, TUTORIAL_SCALES, NetworkInput(300, resize))
        tables = {table.name: table for table in found}
        assert tables["splits"].values("fitted") == [fitted]
        share = np.array(tables["box_sizes"].values("val"))
        assert share[np.searchsorted(SIZE_BINS, side, "right") - 1] == 1
