from ssdcore.core.nested import leaves


def test_every_leaf_has_a_dotted_key():
    nested = {
        "epochs": 9,
        "augment": {"flip": 0.5, "deep": {"x": None}},
        "scales": [1, 2],
        "no": {},
    }
    assert list(leaves(nested)) == [
        ("epochs", 9), ("augment.flip", 0.5), ("augment.deep.x", None), ("scales", [1, 2]),
        ("no", {}),
    ]  # fmt: skip
