"""Boxes with captions on images, legible at any size."""

import io
import math
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from ssdcore.report.colours import Colour, ink_on
from ssdcore.report.fonts import font_for
from ssdcore.report.labels import one_line, shortened

Rgb = NDArray[np.uint8]  # (H, W, 3), red, green, blue
PixelBoxes = NDArray[np.floating[Any]] | Sequence[Sequence[float]]
Rectangle = tuple[int, int, int, int]  # left, top, right, bottom in pixels, all inside

HALO: Colour = (16, 18, 20)  # round the lines, so that they show on any background
GROUND: Colour = (28, 32, 36)  # between and above the two panels
PALE: Colour = (226, 230, 234)  # the panels' headers


class Annotations(NamedTuple):
    """What to draw on one image, N boxes, the most important first.

    Attributes:
        boxes_xyxy_px: corners (N, 4) in pixels of the image, x before y.
        captions: N texts; an empty one draws no label.
        colours: N colours.
    """

    boxes_xyxy_px: PixelBoxes
    captions: Sequence[str]
    colours: Sequence[Colour]


def draw_boxes(
    rgb: Rgb, boxes_xyxy_px: PixelBoxes, captions: Sequence[str], colours: Sequence[Colour]
) -> Rgb:
    """Returns a copy of the image (H, W, 3) with N boxes (N, 4) and their captions drawn.

    Lines and letters grow with the image. A caption stands where it covers no other one, if
    there is such a place at its box; it is shortened to the image's width, and left out of a
    image that is lower than a line of text. The first box is drawn on top.

    Raises:
        ValueError: boxes, captions and colours differ in number, or a corner is not finite.
    """
    image = _image(rgb)
    draw = ImageDraw.Draw(image)
    line = max(1, round(_side(image.size) / 150))
    drawn = [
        (_rectangle(box, image.size), one_line(caption), colour)
        for box, caption, colour in zip(boxes_xyxy_px, captions, colours, strict=True)
    ]
    for (left, top, right, bottom), _, colour in reversed(drawn):
        draw.rectangle((left - 1, top - 1, right + 1, bottom + 1), outline=HALO, width=line + 2)
        draw.rectangle((left, top, right, bottom), outline=colour, width=line)
    taken: list[Rectangle] = []
    for rectangle, caption, colour in drawn:
        if caption:
            _draw_caption(draw, image.size, rectangle, caption, colour, taken)
    return np.asarray(image)


def side_by_side(
    rgb: Rgb,
    truth: Annotations,
    predicted: Annotations,
    width: int = 900,
    headers: tuple[str, str] = ("Ground truth", "Predictions"),
) -> Rgb:
    """Returns the image twice, ground truth on the left and predictions on the right.

    The result is at most `width` pixels wide; each half is scaled, up or down, to fit into a
    square. Boxes are given in pixels of the original image.
    """
    gap = max(4, width // 150)
    size = round(width / 56)
    strip = round(1.8 * size)
    panel = (width - gap) // 2
    scaled = fitted(rgb, panel)
    high, wide = scaled.shape[:2]
    to_panel = np.tile([wide / rgb.shape[1], high / rgb.shape[0]], 2)
    sheet = Image.new("RGB", (2 * wide + gap, high + strip), GROUND)
    draw = ImageDraw.Draw(sheet)
    for left, header, marks in ((0, headers[0], truth), (wide + gap, headers[1], predicted)):
        boxes = np.asarray(marks.boxes_xyxy_px, np.float64).reshape(-1, 4) * to_panel
        half = draw_boxes(scaled, boxes, marks.captions, marks.colours)
        sheet.paste(Image.fromarray(half), (left, strip))
        font = font_for(header, size)
        draw.text((left + size // 2, strip / 2), header, PALE, font, anchor="lm")
    return np.asarray(sheet)


def fitted(rgb: Rgb, side: int) -> Rgb:
    """Returns the image scaled, up or down, so that its longer side has `side` pixels."""
    scale = side / max(rgb.shape[:2])
    wide, high = (max(1, round(scale * length)) for length in (rgb.shape[1], rgb.shape[0]))
    return np.asarray(_image(rgb).resize((wide, high), Image.Resampling.BICUBIC))


def encode_jpeg(rgb: Rgb, quality: int = 85) -> bytes:
    """Returns the image (H, W, 3) as a JPEG file."""
    file = io.BytesIO()
    _image(rgb).save(file, "JPEG", quality=quality, optimize=True)
    return file.getvalue()


def _image(rgb: Rgb) -> Image.Image:
    return Image.fromarray(np.ascontiguousarray(rgb))


def _side(size: tuple[int, int]) -> float:
    """Returns the side of a square as large as the image: what lines and letters grow with."""
    return math.sqrt(size[0] * size[1])


def _rectangle(box_xyxy_px: Iterable[float], size: tuple[int, int]) -> Rectangle:
    """Returns the pixels a box covers, cut to the image; a corner at x2 excludes pixel x2."""
    x1, y1, x2, y2 = (float(edge) for edge in box_xyxy_px)
    if not np.isfinite((x1, y1, x2, y2)).all():
        raise ValueError(f"box {(x1, y1, x2, y2)}: the corners must be finite")
    width, height = size
    left, right = (int(np.clip(edge, 0, width - 1)) for edge in (np.floor(x1), np.ceil(x2) - 1))
    top, bottom = (int(np.clip(edge, 0, height - 1)) for edge in (np.floor(y1), np.ceil(y2) - 1))
    return left, top, max(left, right), max(top, bottom)


def _draw_caption(
    draw: ImageDraw.ImageDraw,
    size: tuple[int, int],
    box: Rectangle,
    caption: str,
    colour: Colour,
    taken: list[Rectangle],
) -> None:
    """Draws one caption on a ground of the box's colour and adds its place to `taken`."""
    width, height = size
    font = font_for(caption, max(10, round(8 + _side(size) / 50)))
    ascent, descent = font.getmetrics()
    high = ascent + descent
    margin = high // 5
    lengths = range(min(len(caption), 120), 1, -1)
    fitting = (shortened(caption, length) for length in lengths)
    shown = next((text for text in fitting if font.getlength(text) + 2 * margin <= width), "")
    if high > height or not shown:
        return
    wide = int(np.ceil(font.getlength(shown))) + 2 * margin
    place = _free_place(size, box, (wide, high), taken)
    taken.append(place)
    draw.rectangle(place, fill=colour)
    draw.text((place[0] + margin, place[1] + ascent), shown, ink_on(colour), font, anchor="ls")


def _free_place(
    size: tuple[int, int], box: Rectangle, label: tuple[int, int], taken: Sequence[Rectangle]
) -> Rectangle:
    """Returns where a label of width and height `label` stands: the first place not taken.

    Above the box, inside at its top, below it, inside at its bottom; at the left, then at the
    right. All places are inside the image; if every one is taken, it is the first.
    """
    (width, height), (wide, high) = size, label
    left, top, right, bottom = box
    places = [
        (min(max(x, 0), width - wide), min(max(y, 0), height - high))
        for x in (left, right - wide + 1)
        for y in (top - high, top, bottom + 1, bottom - high + 1)
    ]
    rectangles = [(x, y, x + wide - 1, y + high - 1) for x, y in places]
    free = (place for place in rectangles if not any(_meet(place, other) for other in taken))
    return next(free, rectangles[0])


def _meet(a: Rectangle, b: Rectangle) -> bool:
    return a[0] <= b[2] and b[0] <= a[2] and a[1] <= b[3] and b[1] <= a[3]
