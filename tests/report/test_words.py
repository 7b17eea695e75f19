import math
from typing import Any

import pytest

from ssdcore.evaluation import outcomes
from ssdcore.evaluation.named_table import Column
from ssdcore.report import page, verdict, words
from tests.augment_params import augment_params


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.4126, "0.413"), (0, "0.000"), (1, "1.000"), (-1, "–"), (None, "–"), (math.nan, "–")],
)
def test_score(value: float | None, shown: str) -> None:
    assert words.score(value) == shown


def test_count() -> None:
    assert words.count(1234567) == "1\u202f234\u202f567"
    assert words.count(24.6) == "25"
    assert words.count(None) == "–"


@pytest.mark.parametrize(
    ("format_", "value", "shown"),
    [
        ("text", "", ""), ("outcome", "background", "invented"), ("count", 1200, "1\u202f200"),
        ("score", -1, "–"), ("share", 0.873, "87.3\u00a0%"), ("number", 0.0012345, "0.001234"),
        ("number", None, "–"),
    ],
)  # fmt: skip
def test_cell(format_: Any, value: Any, shown: str) -> None:
    assert words.cell(Column("x", format_), value) == shown


def test_variations_have_their_numbers_and_those_that_are_off() -> None:
    said = words.variations(augment_params(flip=0.5, saturation=0.4, hue=0.025)).replace(
        "\u00a0", " "
    )
    assert said == (
        "Training varies each image anew in each epoch: mirrored left and right (50 % of the "
        "time); saturation by up to ±40 %; hue by up to ±2.5 % of the colour circle. "
        "Off in this run: crop, zoom-out, brightness, contrast, swapped channels."
    )


def test_no_variation() -> None:
    assert words.variations(augment_params()) == (
        "Training takes the images as they are: all of train.augment is 0."
    )


def test_every_outcome_has_a_name_a_meaning_and_a_glyph_of_its_own() -> None:
    kinds = {*outcomes.KINDS, "missed"}
    assert set(outcomes.NAMES) == set(outcomes.MEANINGS) == kinds
    assert set(verdict.PLURALS) == set(verdict.REMEDIES) == kinds - {"correct", "ignored"}
    assert set(page.GLYPHS) == {*kinds, "truth"}
    assert len(set(page.GLYPHS.values())) == len(page.GLYPHS)


@pytest.mark.parametrize(
    ("value", "text"),
    [(9, "9"), (0.5, "0.5"), (True, "true"), (None, "null"), ({}, "{}"),
     ([0.07, "größer", [1, 2]], "0.07, größer, 1, 2")],
)  # fmt: skip
def test_values_are_written_as_in_yaml(value: Any, text: str) -> None:
    assert words.setting(value) == text
