"""The analysis as plain images, for where no chart can be shown: MLflow's images."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ssdcore.evaluation.analysis import Analysis, Confusion
from ssdcore.report.drawing import Rgb
from ssdcore.report.labels import one_line, shortened, visible
from ssdcore.report.plotting import BLUE, GREY

DPI = 100
NAME_LENGTH = 22
MOST_NUMBERS = 12  # classes up to which the cells of the confusion matrix hold their numbers
MOST_NAMED = 40  # classes up to which its axes name each one

Line = tuple[str | None, Sequence[float], Sequence[float | None]]  # name, x, y


def draw_sheets(analysis: Analysis) -> Iterator[tuple[str, Rgb]]:
    """Yields (name, (H, W, 3)) of the confusion matrix and the curves; those without data not."""
    if any(any(row) for row in analysis.confusion.counts):
        yield "analysis/confusion", _drawn(_confusion, analysis.confusion)
    pr_curves = [(one.name, one.recall, one.precision) for one in analysis.pr_curves]
    if any(recall for _, recall, _ in pr_curves):
        axes = "recall", "precision at IoU 0.5"
        yield "analysis/precision_recall", _drawn(_curves, pr_curves, axes)
    f1_curves = [(one.name, one.score, one.f1) for one in analysis.score_curves]
    if any(value for _, _, f1 in f1_curves for value in f1):
        axes = "score threshold", "F1 at IoU 0.5"
        yield "analysis/f1", _drawn(_curves, f1_curves, axes, analysis.threshold)


def _confusion(confusion: Confusion) -> Figure:
    """What objects are (rows) against what was said (columns), shaded by their share of the row."""
    counts = np.asarray(confusion.counts)
    side = min(12.0, 3 + 0.4 * len(counts))
    drawing = Figure((side + 0.5, side), layout="constrained")
    axes = drawing.add_subplot()
    axes.imshow(counts / np.maximum(counts.sum(axis=1, keepdims=True), 1), "Blues", vmin=0, vmax=1)
    names = [_shown(name) for name in confusion.names]
    if len(names) <= MOST_NAMED:
        axes.set_xticks(range(len(counts)), [*names, "missed"], rotation=45, ha="right")
        axes.set_yticks(range(len(counts)), [*names, "invented"])
    if len(names) <= MOST_NUMBERS:
        for (row, column), count in np.ndenumerate(counts):
            light = count > counts[row].sum() / 2
            axes.text(column, row, f"{count}", ha="center", va="center",
                      color="white" if light else "black")  # fmt: skip
    axes.set(xlabel="what the detector said", ylabel="what it is")
    return drawing


def _curves(lines: Sequence[Line], titles: tuple[str, str], mark: float | None = None) -> Figure:
    """A thin line for each class and a thick one for all of them; a dotted one at the mark."""
    drawing = Figure((6.4, 4.4), layout="constrained")
    axes = drawing.add_subplot()
    for name, across, up in lines:
        values = [np.nan if value is None or value < 0 else value for value in up]
        if name is None:
            axes.plot(across, values, color=BLUE, linewidth=2.5, zorder=3)
        else:
            axes.plot(across, values, color=GREY, linewidth=0.8, alpha=0.6)
    if mark is not None:
        axes.axvline(mark, color=GREY, linestyle=":")
    axes.set(xlabel=titles[0], ylabel=titles[1], xlim=(0, 1), ylim=(0, 1.02))
    axes.grid(alpha=0.3)
    return drawing


def _shown(name: str) -> str:
    return shortened(one_line(visible(name)), NAME_LENGTH)


def _drawn(build: Callable[..., Figure], *given: object) -> Rgb:
    """Returns a figure's pixels; class names are plain text, and may lack in the font."""
    with rc_context({"text.parse_math": False}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        drawing = build(*given)
        drawing.set_dpi(DPI)
        canvas: Any = FigureCanvasAgg(drawing)  # its methods have no types
        canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()
