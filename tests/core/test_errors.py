from ssdcore.core.errors import InputError


def test_the_message_has_all_four_parts():
    error = InputError("train.lr_max", "abc", "a number", "Set it in params.yaml")
    assert str(error) == "train.lr_max: found 'abc', expected a number. Set it in params.yaml."


def test_a_long_value_is_cut():
    message = str(InputError("a.ckpt: classes", [1] * 1_000_000, "text"))
    assert message.startswith("a.ckpt: classes: found [1, 1, ")
    assert message.endswith("1, ...], expected text.")
    assert len(message) < 600


def test_a_value_of_lists_that_multiply_is_cut():
    value = ["x"]
    for _ in range(30):
        value = [value] * 10  # 10 ** 30 elements, written out
    assert len(str(InputError("params.yaml: train.epochs", value, "a whole number"))) < 600
