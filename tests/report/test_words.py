import math
from typing import Any

import pytest

from ssdcore.evaluation.analysis import SizeRange
from ssdcore.evaluation.outcomes import KINDS
from ssdcore.report import words
from ssdcore.report.content import ReportContent
from ssdcore.report.gallery import GALLERIES
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


def test_every_coco_figure_has_a_meaning(content: ReportContent) -> None:
    assert set(words.COCO_FIGURES) == set(content.metrics["bbox"])
    assert len(words.COCO_FIGURES) == 12


def test_variations_are_said_with_their_numbers_and_what_is_off() -> None:
    said = words.variations(augment_params(flip=0.5, saturation=0.4, hue=0.025)).replace(
        "\u00a0", " "
    )
    assert said == (
        "Training varies an image anew in each epoch: mirrored left and right (50 % of the time); "
        "saturation by up to ±40 %; hue by up to ±2.5 % of the colour circle. "
        "Off in this run: crop, zoom-out, brightness, contrast."
    )


def test_all_variations_are_said_in_the_order_in_which_they_happen() -> None:
    said = words.variations(
        augment_params(
            crop=0.1,
            zoom_out=0.2,
            flip=0.3,
            brightness=0.15,
            contrast=0.25,
            saturation=0.35,
            hue=0.05,
        )
    ).replace("\u00a0", " ")
    assert said == (
        "Training varies an image anew in each epoch: "
        "zoomed out, on a plain ground of up to 4 times its sides (20 % of the time); "
        "cropped to a window of 30 % to 100 % of each side that shows some object "
        "(10 % of the time); mirrored left and right (30 % of the time); brightness by up to "
        "±15 %; contrast by up to ±25 %; saturation by up to ±35 %; hue by up to ±5 % of the "
        "colour circle."
    )


def test_no_variation_is_said_too() -> None:
    assert words.variations(augment_params()) == (
        "Training takes the images as they are: all of train.augment is 0."
    )


def test_every_outcome_has_a_name_a_meaning_and_a_glyph_of_its_own() -> None:
    kinds = {*KINDS, "missed"}
    assert set(words.KIND_NAMES) == set(words.KIND_MEANINGS) == kinds
    assert set(words.KIND_PLURALS) == kinds - {"correct", "ignored"}
    assert set(words.GLYPHS) == {*kinds, "truth"}
    assert len(set(words.GLYPHS.values())) == len(words.GLYPHS)
    assert set(words.GALLERY_NAMES) == set(GALLERIES)


def test_sizes_are_named() -> None:
    def ranges(*ends: tuple[float, float | None]) -> list[SizeRange]:
        return [SizeRange(low, high, 0, -1, -1, None) for low, high in ends]

    assert words.sizes(ranges((0, 16), (192, None))) == ["0–16\u00a0px", "over 192\u00a0px"]
    assert words.shares(ranges((0, 0.05), (0.7, 1))) == ["0–5\u00a0%", "70–100\u00a0%"]


@pytest.mark.parametrize(
    ("value", "text"),
    [(9, "9"), (0.5, "0.5"), (True, "true"), (None, "null"), ({}, "{}"),
     ([0.07, "größer", [1, 2]], "0.07, größer, 1, 2")],
)  # fmt: skip
def test_values_are_written_as_in_yaml(value: Any, text: str) -> None:
    assert words.setting(value) == text
