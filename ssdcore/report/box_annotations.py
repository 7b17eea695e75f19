"""How ground truth and detections are drawn: a box, a caption, the colour of the class."""

from collections.abc import Sequence

from ssdcore.coco.annotations import CocoClass
from ssdcore.coco.boxes import Objects
from ssdcore.coco.results import Detections
from ssdcore.report.colours import class_colour
from ssdcore.report.drawing import Annotations, Rgb, draw_boxes, side_by_side


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


def draw_side_by_side(
    rgb: Rgb, objects: Objects, found: Detections, classes: Sequence[CocoClass], width_px: int = 900
) -> Rgb:
    """Returns the image with its ground truth on the left, with detections on the right."""
    truth = annotate_objects(objects, classes)
    return side_by_side(rgb, truth, annotate_detections(found, classes), width_px)
