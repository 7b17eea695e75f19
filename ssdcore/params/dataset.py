"""The parameters of the data set: one model per data source."""

import re
from os.path import expanduser
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError
from typing_extensions import Self

from ssdcore.params.types import Count, Names, Reference, Section, relation


def _is_path(value: object) -> object:
    if isinstance(value, str) and value.strip():
        return value
    raise PydanticCustomError(
        "path", "a path, such as /home/me/photos; the presets have examples/local for none"
    )


DataPath = Annotated[str, BeforeValidator(_is_path), AfterValidator(expanduser)]
"""A path of the user's; `~` stands for the home folder."""
Share = Annotated[float, Field(ge=0, lt=1)]
"""A share of the images; 0 is none."""


def _of_one_group(pattern: str) -> str:
    try:
        groups = re.compile(pattern).groups
    except re.error:
        groups = 0
    if groups != 1:
        expected = r"a regular expression with one group in parentheses, such as ^(patient\d+)_"
        raise PydanticCustomError("group", expected)
    return pattern


Pattern = Annotated[str, AfterValidator(_of_one_group)]

EXAMPLE = "examples/local"
"""The value of an unset path in `dataset.local`: DVC needs a path that exists."""


class ShapesParams(Section):
    """The embedded data set."""

    seed: Annotated[int, Field(ge=0)]
    train_images: Count
    val_images: Count
    test_images: Annotated[int, Field(ge=0)] = 0  # files of earlier versions lack it


class PublishedParams(Section):
    """A published data set with splits of its own, train and val.

    A share of the images of train becomes val; the published val becomes test, and figures of it
    stay comparable with published ones. 0 leaves the splits as published.
    """

    val_share: Share = 0  # files of earlier versions lack it


class BccdParams(PublishedParams):
    """The archive of Shenggan/BCCD_Dataset: 364 images of blood cells."""

    archive: Reference


class Coco2017Params(PublishedParams):
    """COCO's own archives."""

    train_images: Reference
    val_images: Reference
    annotations: Reference


class TutorialParams(PublishedParams):
    """The archive of the MindSpore tutorial: MindRecord shards and COCO annotations."""

    archive: Reference


class LocalParams(Section):
    """The user's own annotations and images; see `ssdcore.sources.local`.

    Paths are absolute or from the repository root. DVC itself does not expand `~` in its deps.

    `path` and `test_path` are a folder or archive of the whole data set, and of a test split. With
    `EXAMPLE`, the four paths count, and the test split of `path`, if it has one. Without splits,
    `val_share` of all images becomes val, and `test_share` (of train, if there is a val) test.
    Images of the same text in the group of the pattern `group` stay in one split.
    """

    path: DataPath = EXAMPLE  # files of earlier versions lack it
    format: Literal[
        "auto", "coco", "voc", "yolo", "labelme", "label_studio", "cvat", "kitti", "labelbox"
    ]
    train_annotations: DataPath
    train_images: DataPath
    val_annotations: DataPath
    val_images: DataPath
    val_share: Annotated[float, Field(gt=0, lt=1)]
    test_path: DataPath = EXAMPLE  # files of earlier versions lack it and the next two
    test_share: Share = 0
    group: Pattern | None = None
    split_seed: Annotated[int, Field(ge=0)]

    @model_validator(mode="after")
    def _train_is_left(self) -> Self:
        if self.val_share + self.test_share >= 1:
            expected = f"less than 1 - val_share ({1 - self.val_share:g})"
            raise relation("test_share", self.test_share, expected)
        return self

    @property
    def is_one_path(self) -> bool:
        """Whether `path` counts, not the four paths."""
        return self.path != EXAMPLE

    @property
    def is_example(self) -> bool:
        """Whether all paths are those of the project's own example."""
        return not self.is_one_path and self.train_images.startswith(f"{EXAMPLE}/")

    @property
    def has_test_path(self) -> bool:
        """Whether the test split has a path of its own."""
        return self.test_path != EXAMPLE


class DatasetParams(Section):
    """The data set, and the parameters of each data source.

    `name` is that of one of these sections, and of a module of `ssdcore.sources`. The defaults are
    for files of earlier versions.
    """

    name: Literal["shapes", "bccd", "coco2017", "tutorial", "local"]
    classes: Names | None  # to keep; None keeps all
    limit: Count | None  # of images in each split; None keeps all
    merge_names: bool = False  # whether classes of the same name become one class
    crowd_as_objects: bool = False  # whether crowd regions are objects like all others
    shapes: ShapesParams
    bccd: BccdParams
    coco2017: Coco2017Params
    tutorial: TutorialParams
    local: LocalParams

    @property
    def source(self) -> Section:
        """The section of the data source that `name` chooses."""
        section: Section = getattr(self, self.name)
        return section
