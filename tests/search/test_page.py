from ssdcore.search.page import ranked, render_search, table
from ssdcore.search.space import Space
from ssdcore.search.study import Trial
from tests.report.test_page import Page

SPACE = Space.model_validate({
    "study": "rates", "trials": 4, "sampler": "tpe", "seed": 1, "prune": None, "fixed": {},
    "params": {
        "train.lr_max": {"low": 0.01, "high": 1.0, "log": True},
        "train.loss": {"choices": ["focal", "multibox"]},
    },
})  # fmt: skip


def trial(number: int, state: str, ap: float | None = None, **more: object) -> Trial:
    changes = {"train.lr_max": 0.02 * (number + 1), "train.loss": "focal"}
    return Trial(number, f"rates-{number}", state, changes, ap, **more)


TRIALS = [
    trial(0, "complete", 0.25),
    trial(1, "pruned", measured={1: 0.125, 2: 0.0625}),
    trial(2, "complete", 0.5),
    trial(3, "failed", reason="<b>no room</b>"),
]


def test_the_table_begins_with_the_best():
    assert list(table(ranked(TRIALS), ["train.lr_max"])) == [
        "    AP  trial    train.lr_max",
        "0.5000  rates-2          0.06",
        "0.2500  rates-0          0.02",
        "pruned  rates-1          0.04",
        "failed  rates-3          0.08",
    ]


def test_the_page_has_the_best_all_trials_and_the_charts():
    html = render_search(SPACE, TRIALS, {"train.lr_max": 0.9, "train.loss": 0.1})
    text = Page(html).text()
    assert "Best AP on val 0.500" in text
    assert "dvc exp apply rates-2" in text
    assert "rates-1 pruned – 0.04 focal AP 0.062 after epoch 2" in text
    assert "<b>no room</b>" in text
    assert "<b>no" not in html
    assert "no visible name" not in text
    for description in ("AP of each trial", "importance of each", "AP over train.loss"):
        assert f'aria-label="{description}' in html


def test_a_search_without_results_has_a_page():
    text = Page(render_search(SPACE, [trial(0, "failed", reason="no room")], {})).text()
    assert "No trial has an AP." in text
    assert "Too few measured trials" in text
