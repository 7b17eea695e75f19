import pytest

from ssdcore.tracking.names import flatten, safe_name


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("val/AP50", "val/AP50"),
        ("AP@[.5:.95]", "AP__.5_.95_"),
        ("AP/машина", "AP/машина"),
        ("AP/n/a/../b", "AP/n/b"),
        ("x" * 300, "x" * 250),
    ],
)
def test_forbidden_characters_are_replaced(name, safe):
    assert safe_name(name) == safe


def test_parameters_become_dotted_names():
    nested = {
        "train": {"lr_max": 1e-6, "amp": False, "resume": None, "decay": {"at": (1, 2)}},
        "classes": ["häst", "n'ko"],
        "note": "y" * 6001,
        3: {},
    }
    assert flatten(nested) == {
        "train.lr_max": "1e-06",
        "train.amp": "False",
        "train.resume": "None",
        "train.decay.at": "[1, 2]",
        "classes": '["häst", "n\'ko"]',
        "note": "y" * 5999 + "…",
        "3": "{}",
    }
