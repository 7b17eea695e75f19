from types import SimpleNamespace

from ssdcore.nn import validation
from ssdcore.nn.group import ALONE
from ssdcore.nn.validation import make_validation

RESULTS = [{"image_id": 1, "category_id": 2, "bbox": [0, 0, 1, 1], "score": 0.5}]


def test_each_measurement_is_heard_of(monkeypatch):
    """What detects and what measures have tests of their own; here it is what goes between."""
    monkeypatch.setattr(validation, "Detector", lambda *given: given)
    monkeypatch.setattr(validation, "predict_split", lambda *given: RESULTS)
    monkeypatch.setattr(validation, "evaluate", lambda path, results: {"AP": len(results)})
    training = SimpleNamespace(network=None, card=SimpleNamespace(default_boxes=None, loss="focal"))
    heard = []
    validate = make_validation(training, 4, None, [], 1, ALONE, lambda: None, heard.append)
    assert heard == []
    assert validate() == {"AP": 1}
    assert validate() == {"AP": 1}
    assert heard == [RESULTS, RESULTS]
