import numpy as np

from tests.data.painted import NOTHING, objects


def test_select_keeps_boxes_with_their_labels():
    boxes = [[0, 0, 0.1, 0.1], [0.2, 0.2, 0.3, 0.3], [0.4, 0.4, 0.5, 0.5]]
    chosen = objects(boxes, [5, 6, 7], [False, True, True]).select(np.array([True, False, True]))
    np.testing.assert_allclose(chosen.boxes_yxyx[:, 0], [0, 0.4])
    assert chosen.labels.tolist() == [5, 7]
    assert chosen.crowd.tolist() == [False, True]


def test_select_of_none():
    chosen = NOTHING.select(np.zeros(0, bool))
    assert [a.shape for a in chosen] == [(0, 4), (0,), (0,)]
    assert [a.dtype for a in chosen] == [np.float32, np.int32, bool]
