import pytest

from ssdcore.core.errors import InputError
from ssdcore.evaluation.score_to_show import score_to_show


def test_what_was_chosen_goes_first(tmp_path):
    assert score_to_show(0.0, tmp_path / "none.json") == 0.0


def test_else_it_is_the_evaluations(tmp_path):
    metrics = tmp_path / "evaluate.json"
    metrics.write_text('{"threshold": 0.37}')
    assert score_to_show(None, metrics) == 0.37


@pytest.mark.parametrize("content", [None, "{}", "no json"])
def test_without_either_the_user_is_asked(tmp_path, content):
    metrics = tmp_path / "evaluate.json"
    if content is not None:
        metrics.write_text(content)
    with pytest.raises(InputError, match="Choose a score, or run the evaluate stage"):
        score_to_show(None, metrics)
