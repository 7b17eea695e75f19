import re
from dataclasses import replace

import numpy as np
import pytest

from ssdcore.report.comparison.candidate import TABLES, Candidate
from ssdcore.report.comparison.images import ComparedImage, Panel
from ssdcore.report.comparison.page import overlay, render_comparison
from ssdcore.report.drawing import encode_jpeg
from ssdcore.report.gallery import Tally
from tests.report.test_page import Page

JPEG = encode_jpeg(np.zeros((8, 16, 3), np.uint8))


def tally(hits: int, misses: int, extras: int) -> Tally:
    return Tally(hits, misses, extras, unseen=0, invented=0, confused=0)


@pytest.fixture
def image_files():
    panels = [Panel(0, JPEG, tally(3, 1, 0), 0.4), Panel(1, JPEG, tally(4, 0, 2), 0.25)]
    return [ComparedImage("a.jpg", JPEG, panels)]


def hostile(name: str, names: tuple[str, ...]) -> Candidate:
    return Candidate(
        name,
        facts={word: word for word in names},
        params={word: word for word in names},
        figures={f"evaluate.{word}": 0.5 for word in names},
        values={"loss": {1: 3, 2: 4}, "per_class": dict.fromkeys(names, 0.5)},
        lacks=names,
    )


def test_the_page_compares_with_the_first(candidates, image_files):
    text = Page(render_comparison(candidates, image_files)).text()
    assert "2 revisions compared" in text
    assert "first AP 0.500 second AP 0.750 +0.250 95 %: +0.250 to +0.250" in text
    assert "train.lr_max 0.1 0.2" in text
    assert "AP 0.500 0.750 +0.250 APs 0.250 0.250 ±0.000" in text
    assert "loss 2.000 3.000 +1.000 steps 1,000 500 \u2212500" in text
    assert "dog 0.250 1.000 +0.750" in text
    assert "cat 0.500 0.250 \u22120.250" in text
    assert "first: 3 found, 1 not found, 0 wrong" in text
    assert "from a score of 0.40, second from a score of 0.25" in text
    assert "commit d66a075" in text
    assert "experiment warm-up device CPU CPU" in text
    assert "network 12.5 –" in text
    assert "AP50 cost/false positives 0.125 –" in text
    assert text.count("missed 0.200 0.100 \u22120.100") == text.count("missed") == 1


def test_only_what_differs_stands_open_and_all_in_the_fold(candidates):
    page = render_comparison(candidates, [])
    changed, fold = (
        page.split('id="changed"')[1].split('id="figures"')[0],
        page.split('id="parameters"')[1],
    )
    assert "train.lr_max" in changed
    assert "train.loss" not in changed
    assert "train.loss" in fold
    assert "4 parameters" in fold


def test_changes_are_coloured_outside_their_noise_and_grey_within(candidates):
    page = render_comparison(candidates, [])
    assert re.search(r'class="change better" title="[^"]*\+0\.250 to \+0\.250">\+0\.250<', page)
    assert re.search(r'class="change worse" title="[^"]*">\u22120\.250<', page)
    assert re.search(r'class="change noise" title="[^"]*\u22120\.760 to \+0\.760">±0\.000<', page)
    assert re.search(r'class="change "><?\+1\.000<', page)  # the loss
    nearly = replace(candidates[1], resamples=candidates[0].resamples)
    text = Page(render_comparison([candidates[0], nearly], [])).text()
    assert "second AP 0.750 +0.250, within noise" in text


def test_equal_revisions_are_said_to_be_the_same(candidates):
    twin = replace(candidates[0], name="twin")
    text = Page(render_comparison([candidates[0], twin], [])).text()
    assert "first AP 0.500 twin AP 0.500 the same AP on" in text
    assert "+0.000" not in text


DIFFERENT, UNKNOWN = "The evaluated images are not the same", "It is unknown whether the evaluated"
COLOURED = re.compile('class="change (better|worse|noise)"')


def test_different_images_are_warned_of(candidates):
    page = render_comparison(candidates, [])
    assert COLOURED.search(page)
    assert DIFFERENT not in page
    assert UNKNOWN not in page
    unknown, other = (replace(candidates[1], data=data) for data in ("", "ef"))
    for compared in ([candidates[0], other], [candidates[0], unknown, other]):
        page = render_comparison(compared, [])
        assert DIFFERENT in page
        assert UNKNOWN not in page
        assert not COLOURED.search(page)


def test_a_third_revision_of_other_images_hides_no_noise_of_the_second(candidates):
    other = replace(candidates[1], name="other", data="ef")
    text = render_comparison([*candidates, other], [])
    assert DIFFERENT in text
    assert len(COLOURED.findall(text)) == len(COLOURED.findall(render_comparison(candidates, [])))


def test_images_without_a_record_are_not_said_to_differ(candidates):
    """As in a clone that lacks its author's data/raw."""
    first, second = (replace(one, data="") for one in candidates)
    for compared, named in (
        ([candidates[0], second], "second"),
        ([first, second], "first, second"),
    ):
        page = render_comparison(compared, [])
        assert f"{UNKNOWN} images are the same: {named} " in Page(page).text().replace(" ,", ",")
        assert DIFFERENT not in page
        assert not COLOURED.search(page)


def test_two_splits_are_different_images_also_without_a_record(candidates):
    of_split = [
        replace(one, data="", facts={"evaluated on": split})
        for one, split in zip(candidates, ("val", "test"), strict=True)
    ]
    assert DIFFERENT in render_comparison(of_split, [])


def test_what_a_revision_lacks_is_said(candidates):
    bare = Candidate("bare", lacks=["metrics/train.json", "evaluation/sizes.csv"])
    text = Page(render_comparison([candidates[0], bare], [], "Nothing to see.")).text()
    assert "bare does not have metrics/train.json , evaluation/sizes.csv ;" in text
    assert "Nothing to see." in text
    assert "AP 0.500 –" in text


def test_nothing_is_known_of_any():
    text = Page(render_comparison([Candidate("a"), Candidate("b")], [])).text()
    for words in ("No revision was measured", "No revision has any", "has a params.yaml"):
        assert words in text


def test_hostile_words_add_no_element_and_show_as_text(candidates, image_files, hostile_names):
    harmless = Page(render_comparison(candidates, image_files))
    many = [hostile(name, hostile_names) for name in hostile_names]
    shown = [image._replace(name=name) for image in image_files for name in hostile_names]
    page = Page(render_comparison(many, shown, hostile_names[0]))
    assert {tag for tag, _ in page.elements} - {"code"} <= {tag for tag, _ in harmless.elements}
    assert not [name for _, found in page.elements for name in found if name.startswith("on")]
    for word in hostile_names:
        assert page.text().count(word) >= 10, word


OF_NAME = {table.name: table for _, table in TABLES}


def test_each_line_is_drawn_for_the_candidates_that_have_it(candidates):
    drawn = {name: overlay(candidates, table) for name, table in OF_NAME.items()}
    assert {name: [trace.name for trace in one.data] for name, one in drawn.items() if one} == {
        "loss": ["first", "second"],
        "validation": ["first"],
        "pr_curves": ["first"],
        "score_curves": ["first"],
    }
    loss, val_ap = drawn["loss"].data, drawn["validation"].data
    assert [(list(trace.x), list(trace.y)) for trace in loss] == [
        ([1, 2, 3], [4, 3, 2]),
        ([1, 2], [5, 4]),
    ]
    assert "markers" in val_ap[0].mode  # a single measurement shows
