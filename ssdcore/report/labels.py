"""Makes names that others chose (classes, files) safe for one line of an image or a chart."""

import html
import unicodedata

# Marks that change the direction of the text after them, also outside of the name.
DIRECTION_MARKS = frozenset(
    "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
)


def one_line(text: str) -> str:
    """Returns `text` on one line, without control characters and direction marks."""
    spaced = " ".join(text.split())
    return "".join(
        character
        for character in spaced
        if character not in DIRECTION_MARKS and unicodedata.category(character) not in {"Cc", "Cs"}
    )


def visible(text: str) -> str:
    """Returns `text`, or a remark instead if it has no visible character."""
    seen = any(unicodedata.category(character)[0] in "LNPS" for character in text)
    return text if seen else "(no visible name)"


def shortened(text: str, length: int) -> str:
    """Returns `text` cut to at most `length` ≥ 1 characters, an ellipsis the last of them."""
    return text if len(text) <= length else text[: length - 1].rstrip() + "…"


def isolated(text: str) -> str:
    """Returns `text` for a sentence: one line, shortened, no effect on the text's direction."""
    return f"\u2068{shortened(one_line(visible(text)), 60)}\u2069"


def chart_text(text: str, length: int) -> str:
    """Returns `text` for a chart: one line, shortened, without markup for Plotly.

    Plotly interprets tags such as `<b>` and `<a href>` in labels, and shows entities as their
    characters.
    """
    return html.escape(shortened(one_line(visible(text)), length), quote=False)
