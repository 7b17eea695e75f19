"""The parameters of the data set: one model per data source."""

from os.path import expanduser
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, field_validator
from pydantic_core import PydanticKnownError

from ssdcore.params.types import Count, Names, Reference, Section

DataPath = Annotated[str, AfterValidator(expanduser)]
"""A path of the user's; `~` stands for the home folder."""


EXAMPLE = "examples/local"
"""The value of `dataset.local.path` that stands for none: DVC needs a path that is there."""


class ShapesParams(Section):
    """The embedded data set."""

    seed: Annotated[int, Field(ge=0)]
    train_images: Count
    val_images: Count


class BccdParams(Section):
    """The archive of Shenggan/BCCD_Dataset: 364 images of blood cells."""

    archive: Reference


class Coco2017Params(Section):
    """COCO's own archives."""

    train_images: Reference
    val_images: Reference
    annotations: Reference


class TutorialParams(Section):
    """The archive of the MindSpore tutorial: MindRecord shards and COCO annotations."""

    archive: Reference


class LocalParams(Section):
    """The user's own annotations and images; see `ssdcore.sources.local`.

    Paths are absolute or from the repository root. DVC itself does not expand `~` in its deps.

    Attributes:
        path: folder or archive of the whole data set. With `EXAMPLE` or None, the four paths count.
        format: of the annotations; `auto` recognises it.
    """

    path: DataPath | None = None  # files of earlier versions lack it
    format: Literal["auto", "coco", "voc", "yolo", "labelme", "cvat", "kitti", "labelbox"]
    train_annotations: DataPath
    train_images: DataPath
    val_annotations: DataPath
    val_images: DataPath
    val_share: Annotated[float, Field(gt=0, lt=1)]
    split_seed: Annotated[int, Field(ge=0)]

    @property
    def is_one_path(self) -> bool:
        """Whether `path` counts, not the four paths."""
        return self.path not in (None, EXAMPLE)


class DatasetParams(Section):
    """The data set, and the parameters of each data source.

    Attributes:
        name: the data source: one of the sections below, and a module of `ssdcore.sources`.
        classes: names of the classes to keep; None keeps all.
        limit: maximum number of images in each split; None keeps all.
        merge_names: whether classes of the same name become one class.
        crowd_as_objects: whether crowd regions are objects like all others.
    """

    name: str
    classes: Names | None
    limit: Count | None
    merge_names: bool = False  # files of earlier versions lack it
    crowd_as_objects: bool = False  # likewise
    shapes: ShapesParams
    bccd: BccdParams
    coco2017: Coco2017Params
    tutorial: TutorialParams
    local: LocalParams

    @field_validator("name", mode="before")
    @classmethod
    def _is_a_source(cls, name: object) -> object:
        annotations = {key: field.annotation for key, field in cls.model_fields.items()}
        sources = [
            repr(key)
            for key, annotation in annotations.items()
            if isinstance(annotation, type) and issubclass(annotation, Section)
        ]
        if repr(name) not in sources:
            expected = f"{', '.join(sources[:-1])} or {sources[-1]}"
            raise PydanticKnownError("literal_error", {"expected": expected})
        return name

    @property
    def source(self) -> Section:
        """The section of the data source that `name` chooses."""
        section: Section = getattr(self, self.name)
        return section
