from ssdcore.core.errors import InputError


def test_message_names_place_value_expected_and_remedy():
    error = InputError("train.lr_max", "abc", "a number", "Set it in params.yaml")
    assert str(error) == "train.lr_max: found 'abc', expected a number. Set it in params.yaml."


def test_remedy_may_be_left_out():
    assert str(InputError("a.json", 3, "a list")) == "a.json: found 3, expected a list."
