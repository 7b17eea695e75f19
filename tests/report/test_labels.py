import pytest

from ssdcore.report.labels import chart_text, one_line, shortened


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("traffic light", "traffic light"),
        (" two\nlines\tand\x00 more ", "two lines and more"),
        ("\u202egpj.exe", "gpj.exe"),
        ("\u2067\u05e9\u05dc\u05d5\u05dd\u2069", "\u05e9\u05dc\u05d5\u05dd"),
        ("byte \udcff", "byte "),
    ],
)
def test_one_line_keeps_only_what_shows(text: str, shown: str) -> None:
    assert one_line(text) == shown


def test_shortened_counts_the_ellipsis() -> None:
    assert shortened("abcde", 5) == "abcde"
    assert shortened("abcdef", 5) == "abcd…"
    assert shortened("ab cdef", 4) == "ab…"


def test_chart_text_has_no_tag_for_plotly_and_no_half_entity() -> None:
    assert chart_text("<b>a</b> & b", 40) == "&lt;b&gt;a&lt;/b&gt; &amp; b"
    assert chart_text("<<<<<<", 4) == "&lt;&lt;&lt;…"
