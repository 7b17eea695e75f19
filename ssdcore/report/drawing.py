"""Draws ground truth and detections on images: a box, a caption, the colour of the class.

They are legible at any image size and in any script.
"""

import math
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from ssdcore.coco.annotations import CocoClass
from ssdcore.coco.checked_boxes import Objects
from ssdcore.coco.results import Detections
from ssdcore.data.images import to_jpeg
from ssdcore.geometry.boxes import Boxes
from ssdcore.report.labels import one_line, shortened

Rgb = NDArray[np.uint8]  # (H, W, 3), red, green, blue
Rectangle = tuple[int, int, int, int]  # left, top, right, bottom in pixels, all inclusive

Colour = tuple[int, int, int]  # red, green, blue in 0…255

HALO: Colour = (16, 18, 20)  # outlines the lines, so that they show on any background
GAP: Colour = (28, 32, 36)  # between and above two panels
HEADER: Colour = (226, 230, 234)
LONGEST_CAPTION = 120  # characters
DISTINCT = 200
"""Number of colours before the palette repeats; more would look alike."""
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


class Annotations(NamedTuple):
    """Boxes to draw on one image: N of them, the most important first.

    Attributes:
        boxes_yxyx: corners (N, 4), fractions of the image.
        captions: N texts; an empty one draws no label.
        colours: N colours.
    """

    boxes_yxyx: Boxes
    captions: Sequence[str]
    colours: Sequence[Colour]


def annotate_objects(objects: Objects, classes: Sequence[CocoClass]) -> Annotations:
    """Annotates ground truth with class names."""
    captions = [
        classes[label - 1].name + (" (crowd)" if crowd else "")
        for label, crowd in zip(objects.labels, objects.crowd, strict=True)
    ]
    return Annotations(objects.boxes_yxyx, captions, [*map(class_colour, objects.labels.tolist())])


def annotate_detections(found: Detections, classes: Sequence[CocoClass]) -> Annotations:
    """Annotates detections with class names and scores."""
    captions = [
        f"{classes[label - 1].name} {score:.2f}"
        for label, score in zip(found.labels, found.scores, strict=True)
    ]
    return Annotations(found.boxes_yxyx, captions, [*map(class_colour, found.labels.tolist())])


def draw_detections(rgb: Rgb, found: Detections, classes: Sequence[CocoClass]) -> Rgb:
    """Returns a copy of the image (H, W, 3) with detections drawn."""
    return draw_boxes(rgb, annotate_detections(found, classes))


def draw_boxes(rgb: Rgb, annotations: Annotations) -> Rgb:
    """Returns a copy of the image (H, W, 3) with boxes and captions.

    Lines and letters scale with the image. A caption is placed where it covers no other caption,
    if there is room at its box. It is shortened to the image's width, and left out if the image
    is lower than a line of text. The first box is drawn on top.

    Raises:
        ValueError: boxes, captions and colours differ in number, or a corner is not finite.
    """
    pixels = cv2.cvtColor(rgb, cv2.COLOR_RGB2RGBA)
    image = Image.fromarray(pixels)  # shares them; Pillow's own conversions copy a photo four times
    image.readonly = 0
    draw = ImageDraw.Draw(image)
    line_px = max(1, round(math.sqrt(image.width * image.height) / 150))
    rectangles = _to_pixels(annotations.boxes_yxyx, *image.size)
    boxes = list(zip(rectangles, annotations.captions, annotations.colours, strict=True))
    for (left, top, right, bottom), _, colour in reversed(boxes):
        draw.rectangle((left - 1, top - 1, right + 1, bottom + 1), outline=HALO, width=line_px + 2)
        draw.rectangle((left, top, right, bottom), outline=colour, width=line_px)
    taken: list[Rectangle] = []
    for rectangle, caption, colour in boxes:
        _draw_caption(draw, image.size, rectangle, one_line(caption), colour, taken)
    return cv2.cvtColor(pixels, cv2.COLOR_RGBA2RGB)


def draw_side_by_side(
    rgb: Rgb, objects: Objects, found: Detections, classes: Sequence[CocoClass], width_px: int = 900
) -> Rgb:
    """Returns the image twice: ground truth on the left, detections on the right.

    The result is at most `width_px` wide; each half is scaled, up or down, to fit into a square.
    """
    gap = max(4, width_px // 150)
    letter = round(width_px / 56)
    header_height = round(1.8 * letter)
    scaled = scale_to_fit(rgb, (width_px - gap) // 2)
    height, width = scaled.shape[:2]
    sheet = Image.new("RGB", (2 * width + gap, height + header_height), GAP)
    draw = ImageDraw.Draw(sheet)
    panels = (
        (0, "Ground truth", annotate_objects(objects, classes)),
        (width + gap, "Predictions", annotate_detections(found, classes)),
    )
    for left, header, annotations in panels:
        sheet.paste(_to_pillow(draw_boxes(scaled, annotations)), (left, header_height))
        font = font_for(header, letter)
        draw.text((left + letter // 2, header_height / 2), header, HEADER, font, anchor="lm")
    return np.asarray(sheet)


def scale_to_fit(rgb: Rgb, side_px: int) -> Rgb:
    """Returns the image scaled, up or down, so that its longer side has `side_px` pixels."""
    scale = side_px / max(rgb.shape[:2])
    height, width = (max(1, round(scale * side)) for side in rgb.shape[:2])
    return np.asarray(_to_pillow(rgb).resize((width, height), Image.Resampling.BICUBIC))


def encode_jpeg(rgb: Rgb, quality: int = 85) -> bytes:
    """Returns the image (H, W, 3) as a JPEG file for the report, whose size is limited."""
    return to_jpeg(rgb, quality, smallest=True)


def class_colour(label: int) -> Colour:
    """Returns the colour of a class by its label, 1 … C-1; it does not depend on C."""
    return _palette()[(label - 1) % DISTINCT]


@cache
def _palette() -> tuple[Colour, ...]:
    """Picks colours one by one, each the farthest in CIELAB from those picked before.

    The candidates are saturated and of medium lightness: they stand out from photographs, and
    black or white text is legible on them.
    """
    levels = np.arange(0, 256, 15, np.uint8)
    rgb = np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), axis=-1).reshape(-1, 3)
    lab = cv2.cvtColor((rgb / 255).astype(np.float32)[None], cv2.COLOR_RGB2LAB)[0]  # L 0…100
    suitable = (np.hypot(lab[:, 1], lab[:, 2]) > 40) & (lab[:, 0] > 45) & (lab[:, 0] < 90)
    rgb, lab = rgb[suitable], lab[suitable]
    orange = (255, 150, 30)
    picked = [int(np.abs(rgb - np.array(orange)).sum(axis=1).argmin())]
    nearest = np.full(len(lab), np.inf)
    while len(picked) < DISTINCT:
        nearest = np.minimum(nearest, np.linalg.norm(lab - lab[picked[-1]], axis=1))
        picked.append(int(nearest.argmax()))
    return tuple((int(r), int(g), int(b)) for r, g, b in rgb[picked])


def text_colour(background: Colour) -> Colour:
    """Returns black or white, whichever is easier to read on `background`."""
    luma = np.dot(background, (0.299, 0.587, 0.114))  # ITU-R BT.601
    return (0, 0, 0) if luma > 128 else (255, 255, 255)


def font_for(text: str, size_px: int) -> ImageFont.FreeTypeFont:
    """Returns the first font that has every character of `text`, `size_px` high.

    DejaVu Sans, which Matplotlib ships, covers Latin, Greek, Cyrillic, Arabic and Hebrew; other
    scripts need one of `SYSTEM_FONTS`. If no font has all characters, DejaVu Sans is used and the
    missing ones show as boxes.
    """
    characters = frozenset(text) - {" "}
    fonts = (name for name in (_dejavu(), *SYSTEM_FONTS) if _has(name, characters))
    return _load(next(fonts, _dejavu()), size_px)


def _to_pillow(rgb: Rgb) -> Image.Image:
    return Image.fromarray(np.ascontiguousarray(rgb))


def _to_pixels(boxes_yxyx: Boxes, width: int, height: int) -> list[Rectangle]:
    """Converts fractions to the pixels that boxes cover, clipped to the image."""
    y1, x1, y2, x2 = np.asarray(boxes_yxyx, np.float64).reshape(-1, 4).T
    edges_px = np.stack([x1 * width, y1 * height, x2 * width, y2 * height], axis=1)
    if not np.isfinite(edges_px).all():
        raise ValueError("boxes: the corners must be finite")
    edges_px = edges_px.round(3)  # a float32 fraction may exceed a whole pixel by rounding
    last = np.array([width - 1, height - 1])
    low = np.clip(np.floor(edges_px[:, :2]), 0, last)
    high = np.clip(np.ceil(edges_px[:, 2:]) - 1, low, last)  # a corner at x2 excludes pixel x2
    return [(x1, y1, x2, y2) for x1, y1, x2, y2 in np.hstack([low, high]).astype(int).tolist()]


def _draw_caption(
    draw: ImageDraw.ImageDraw,
    size: tuple[int, int],
    box: Rectangle,
    caption: str,
    colour: Colour,
    taken: list[Rectangle],
) -> None:
    """Draws a caption on a background of the box's colour and adds its rectangle to `taken`."""
    width, height = size
    font = font_for(caption, max(10, round(8 + math.sqrt(width * height) / 50)))
    ascent, descent = font.getmetrics()
    label_height = ascent + descent
    margin = label_height // 5
    longest = min(len(caption), LONGEST_CAPTION)
    shortest = min(longest, 2)  # an ellipsis alone is useless
    candidates = (shortened(caption, length) for length in range(longest, shortest - 1, -1))
    shown = next((text for text in candidates if font.getlength(text) + 2 * margin <= width), "")
    if label_height > height or not shown:
        return
    label_width = math.ceil(font.getlength(shown)) + 2 * margin
    label = _place_label(size, box, (label_width, label_height), taken)
    taken.append(label)
    draw.rectangle(label, fill=colour)
    draw.text((label[0] + margin, label[1] + ascent), shown, text_colour(colour), font, anchor="ls")


def _place_label(
    size: tuple[int, int], box: Rectangle, label: tuple[int, int], taken: Sequence[Rectangle]
) -> Rectangle:
    """Returns the first rectangle for a label (width, height) that overlaps none of `taken`.

    Tried above the box, inside at its top, below it, inside at its bottom; at the left, then at
    the right; always inside the image. If all overlap, the first is returned.
    """
    (width, height), (label_width, label_height) = size, label
    left, top, right, bottom = box
    corners = [
        (min(max(x, 0), width - label_width), min(max(y, 0), height - label_height))
        for x in (left, right - label_width + 1)
        for y in (top - label_height, top, bottom + 1, bottom - label_height + 1)
    ]
    rectangles = [(x, y, x + label_width - 1, y + label_height - 1) for x, y in corners]
    free = (one for one in rectangles if not any(_overlap(one, other) for other in taken))
    return next(free, rectangles[0])


def _overlap(a: Rectangle, b: Rectangle) -> bool:
    return a[0] <= b[2] and b[0] <= a[2] and a[1] <= b[3] and b[1] <= a[3]


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
