"""Chooses a font that has the characters of a caption."""

from functools import cache
from pathlib import Path

from PIL import ImageFont

# Tried in this order if DejaVu Sans lacks a character; Pillow searches the system's folders.
SYSTEM_FONTS = (
    "NotoSansCJK-Regular.ttc",
    "NotoSansCJKsc-Regular.otf",
    "wqy-microhei.ttc",
    "wqy-zenhei.ttc",
    "DroidSansFallbackFull.ttf",
    "msyh.ttc",
    "PingFang.ttc",
    "Hiragino Sans GB.ttc",
    "Arial Unicode.ttf",
    "NotoSansDevanagari-Regular.ttf",
    "NotoSansThai-Regular.ttf",
)
ABSENT = "\U0010ffff"  # in no font: renders as the font's sign for a missing character


def font_for(text: str, size_px: int) -> ImageFont.FreeTypeFont:
    """Returns the first font that has every character of `text`, `size_px` high.

    DejaVu Sans, which Matplotlib ships, covers Latin, Greek, Cyrillic, Arabic and Hebrew; other
    scripts need one of `SYSTEM_FONTS`. If no font has all characters, DejaVu Sans is used and the
    missing ones show as boxes.
    """
    characters = frozenset(text) - {" "}
    fonts = (name for name in (_dejavu(), *SYSTEM_FONTS) if _has(name, characters))
    return _load(next(fonts, _dejavu()), size_px)


@cache
def _dejavu() -> str:
    from matplotlib import get_data_path  # takes 0.6 s, and only images need it

    return str(Path(get_data_path(), "fonts", "ttf", "DejaVuSans.ttf"))


@cache
def _load(name: str, size_px: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(name, size_px)


@cache
def _has(name: str, characters: frozenset[str]) -> bool:
    try:
        font = _load(name, 16)
    except OSError:  # not installed
        return False
    absent = bytes(font.getmask(ABSENT))
    return all(bytes(font.getmask(character)) != absent for character in characters)
