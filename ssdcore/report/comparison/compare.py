"""Makes the page that compares revisions, from what git and DVC keep of them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from ssdcore.coco.operating_point import UNMEASURED_SCORE
from ssdcore.core import layout
from ssdcore.core.errors import InputError
from ssdcore.core.messages import say
from ssdcore.data.manifest import recorded_images
from ssdcore.dvc.repository import WORKSPACE, Revision, open_revisions
from ssdcore.report.comparison.candidate import NOT_FETCHED, Candidate, read_candidate
from ssdcore.report.comparison.images import ComparedImage, draw_images
from ssdcore.report.comparison.page import render_comparison


def compare_revisions(
    names: Sequence[str], images: int, score_threshold: float | None = None
) -> str:
    """Returns the page that compares revisions of the repository, the others with the first.

    Args:
        names: of the revisions, see `open_revisions`; a single one is compared with the workspace.
        images: maximum number of images to show.
        score_threshold: minimum score of a detection to draw; None is each model's own.

    Raises:
        InputError: a name is unknown or given twice.
    """
    if len(names) == 1:
        names = [*names, WORKSPACE]
    if len(set(names)) < len(names):
        raise InputError("--compare", " ".join(names), "two revisions or more, each named once")
    with open_revisions(names) as revisions:
        candidates = [read_candidate(o.name, o.origin._asdict(), o.read) for o in revisions]
        for one in candidates:
            if missing := [name for name in one.lacks if name.endswith(NOT_FETCHED)]:
                say(
                    f"{one.name}: {len(missing)} files are in neither DVC's cache nor a remote, "
                    f"such as {missing[0].removesuffix(NOT_FETCHED)}. The page compares the "
                    "rest. To fetch these files: `dvc pull`, for an experiment `dvc exp pull`"
                )
        drawn, remark = _draw(candidates, revisions, images, score_threshold)
    return render_comparison(candidates, drawn, remark)


def _draw(
    candidates: Sequence[Candidate],
    revisions: Sequence[Revision],
    count: int,
    score_threshold: float | None,
) -> tuple[list[ComparedImage], str]:
    """Returns the drawn images, and the reason if there are none."""
    able = {}
    for index, one in enumerate(candidates):
        if one.detected:
            own = one.figures.get("evaluate.threshold", UNMEASURED_SCORE)
            able[index] = one.detected, own if score_threshold is None else score_threshold
    if not count:
        return [], "No images are requested (report.images)."
    if len(able) < 2:
        return [], "Fewer than two revisions have predictions, annotations and a record of images."
    first = min(able)
    try:
        with revision_images(revisions[first], able[first][0].images) as folder:
            drawn = draw_images(able, folder, count)
    except InputError as error:
        return [], f"The images can't be read. {error}"
    return drawn, "" if drawn else "The revisions have no evaluated image in common."


@contextmanager
def revision_images(revision: Revision, recorded: str) -> Iterator[Path]:
    """Yields the folder or archive of the images that a revision evaluated.

    Those in data/raw are the revision's own; images elsewhere are as they are now.
    """
    with TemporaryDirectory() as folder:
        own = None
        if Path(recorded).is_relative_to(layout.RAW):
            own = revision.fetch(Path(recorded), Path(folder, "images"))
        yield own or recorded_images(recorded, f"{layout.RAW} of {revision.name}: images")
