"""A font that has the characters of a caption."""

from functools import cache
from pathlib import Path

from PIL import ImageFont

# Tried in this order when DejaVu Sans lacks a character; Pillow looks in the system's folders.
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
ABSENT = "\U0010ffff"  # no font has it: it shows as the font's sign for an absent character


def font_for(text: str, size_px: int) -> ImageFont.FreeTypeFont:
    """Returns the first font that has every character of `text`, `size_px` high.

    DejaVu Sans, which comes with Matplotlib, has Latin, Greek, Cyrillic, Arabic and Hebrew;
    other scripts need one of `SYSTEM_FONTS`. Where none has all characters it is DejaVu Sans,
    and the absent ones show as boxes.
    """
    characters = frozenset(text) - {" "}
    if not _has(_dejavu(), characters):
        for name in SYSTEM_FONTS:
            if _has(name, characters):
                return _load(name, size_px)
    return _load(_dejavu(), size_px)


@cache
def _dejavu() -> str:
    from matplotlib import get_data_path  # 0.6 s, and only images need it

    return str(Path(get_data_path(), "fonts", "ttf", "DejaVuSans.ttf"))


@cache
def _load(name: str, size_px: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(name, size_px)


@cache
def _has(name: str, characters: frozenset[str]) -> bool:
    try:
        font = _load(name, 16)
    except OSError:  # not on this system
        return False
    absent = bytes(font.getmask(ABSENT))
    return all(bytes(font.getmask(character)) != absent for character in characters)
