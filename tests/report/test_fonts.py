from pathlib import Path

import pytest
from matplotlib import get_data_path

from ssdcore.report import fonts

FOLDER = Path(get_data_path(), "fonts", "ttf")


@pytest.mark.parametrize("text", ["circle 0.97", "Größe", "Кошка", "\u05e9\u05dc\u05d5\u05dd"])
def test_dejavu_is_used_for_the_scripts_it_covers(text: str) -> None:
    font = fonts.font_for(text, 17)
    assert Path(str(font.path)).name == "DejaVuSans.ttf"
    assert font.size == 17


def test_a_system_font_is_used_for_other_scripts(monkeypatch: pytest.MonkeyPatch) -> None:
    last_resort = str(FOLDER / "LastResortHE-Regular.ttf")
    monkeypatch.setattr(fonts, "SYSTEM_FONTS", ("no such font.ttf", last_resort))
    assert fonts.font_for("\u732b 0.9", 17).path == last_resort  # Chinese: cat


def test_dejavu_is_used_if_no_font_has_the_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fonts, "SYSTEM_FONTS", ())
    assert Path(str(fonts.font_for("\u732b", 17).path)).name == "DejaVuSans.ttf"
