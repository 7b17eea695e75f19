import math

import pytest

from ssdcore.evaluation import outcomes
from ssdcore.evaluation.named_table import Column
from ssdcore.report import page, verdict, words


@pytest.mark.parametrize(
    ("format_", "value", "shown"),
    [
        ("text", "", ""), ("outcome", "background", "invented"), ("count", 1200, "1\u202f200"),
        ("score", -1, "–"), ("score", math.nan, "–"), ("score", 0.4126, "0.413"),
        ("share", 0.873, "87.3\u00a0%"), ("number", 0.0012345, "0.001234"), ("number", None, "–"),
    ],
)  # fmt: skip
def test_cell(format_, value, shown):
    assert words.cell(Column("x", format_), value) == shown


@pytest.mark.parametrize(
    ("value", "text"),
    [(9, "9"), (0.5, "0.5"), (True, "true"), (None, "null"), ({}, "{}"),
     ([0.07, "größer", [1, 2]], "0.07, größer, [1, 2]")],
)  # fmt: skip
def test_values_are_written_as_in_yaml(value, text):
    assert words.setting(value) == text


def test_every_outcome_has_a_name_a_meaning_and_a_glyph_of_its_own():
    kinds = {*outcomes.KINDS, "missed"}
    assert set(outcomes.NAMES) == set(outcomes.MEANINGS) == kinds
    assert set(verdict.PLURALS) == set(verdict.REMEDIES) == kinds - {"correct", "ignored"}
    assert set(page.GLYPHS) == {*kinds, "truth"}
    assert len(set(page.GLYPHS.values())) == len(page.GLYPHS)
