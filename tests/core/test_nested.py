from ssdcore.core.nested import in_use, leaves, nested


def test_every_leaf_has_a_dotted_key():
    values = {
        "epochs": 9,
        "augment": {"flip": 0.5, "deep": {"x": None}},
        "scales": [1, 2],
        "no": {},
    }
    assert list(leaves(values)) == [
        ("epochs", 9), ("augment.flip", 0.5), ("augment.deep.x", None), ("scales", [1, 2]),
        ("no", {}),
    ]  # fmt: skip
    assert nested(dict(leaves(values))) == values


def test_settings_of_data_sets_that_are_not_in_use_are_left_out():
    dataset = {"name": "shapes", "limit": None, "shapes": {"seed": 1}, "bccd": {"archive": "http"}}
    assert in_use({"dataset": dataset, "seed": 7}) == {
        "dataset": {"name": "shapes", "limit": None, "shapes": {"seed": 1}},
        "seed": 7,
    }
    assert in_use({"dataset": "shapes"}) == {"dataset": "shapes"}
