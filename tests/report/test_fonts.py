from pathlib import Path

import pytest
from matplotlib import get_data_path

from ssdcore.report import fonts

FOLDER = Path(get_data_path(), "fonts", "ttf")


@pytest.mark.parametrize("text", ["circle 0.97", "Größe", "Кошка", "\u05e9\u05dc\u05d5\u05dd"])
def test_dejavu_serves_what_it_has(text: str) -> None:
    font = fonts.font_for(text, 17)
    assert Path(str(font.path)).name == "DejaVuSans.ttf"
    assert font.size == 17


def test_another_font_is_taken_for_what_dejavu_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    last_resort = str(FOLDER / "LastResortHE-Regular.ttf")
    monkeypatch.setattr(fonts, "SYSTEM_FONTS", ("no such font.ttf", last_resort))
    assert fonts.font_for("\u732b 0.9", 17).path == last_resort  # Chinese: cat


def test_dejavu_is_the_last_resort(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fonts, "SYSTEM_FONTS", ())
    assert Path(str(fonts.font_for("\u732b", 17).path)).name == "DejaVuSans.ttf"
