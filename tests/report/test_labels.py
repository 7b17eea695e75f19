import pytest

from ssdcore.report.labels import chart_text, isolated, one_line, shortened, visible


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
def test_one_line_keeps_only_what_shows(text, shown):
    assert one_line(text) == shown


def test_shortened_counts_the_ellipsis():
    assert shortened("abcde", 5) == "abcde"
    assert shortened("abcdef", 5) == "abcd…"
    assert shortened("ab cdef", 4) == "ab…"


def test_chart_text_has_no_tag_for_plotly_and_no_half_entity():
    assert chart_text("<b>a</b> & b", 40) == "&lt;b&gt;a&lt;/b&gt; &amp; b"
    assert chart_text("<<<<<<", 4) == "&lt;&lt;&lt;…"


@pytest.mark.parametrize("name", ["", " ", "\u200b", "\u202e\u2066", "\ufeff\t\n", "\u0301"])
def test_a_name_that_cannot_be_seen_is_said_to_be_so(name):
    assert visible(name) == "(no visible name)"
    assert chart_text(name, 30) == "(no visible name)"
    assert isolated(name) == "\u2068(no visible name)\u2069"


@pytest.mark.parametrize("name", ["cat", "0", "\u200bx", "שלום", "🐈", "_", "<b>"])
def test_other_names_stay_as_they_are(name):
    assert visible(name) == name


def test_a_sentence_is_not_turned_round_by_a_name():
    assert isolated("\u202egnp.exe\n") == "\u2068gnp.exe\u2069"
    assert isolated("x" * 100) == f"\u2068{'x' * 59}…\u2069"
