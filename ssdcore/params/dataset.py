"""The parameters of the data set: a model for each source of images."""

from typing import Annotated, Literal

from pydantic import Field

from ssdcore.params.types import Count, Names, Reference, Section


class ShapesParams(Section):
    """The embedded data set."""

    seed: Annotated[int, Field(ge=0)]
    train_images: Count
    val_images: Count


class BccdParams(Section):
    """364 images of blood cells; the archive of Shenggan/BCCD_Dataset."""

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

    Paths count from the repository root. Where the splits name the same annotations and the same
    images, `val_share` of the images becomes the validation split.
    """

    format: Literal["coco", "voc", "yolo"]
    train_annotations: str
    train_images: str
    val_annotations: str
    val_images: str
    val_share: Annotated[float, Field(gt=0, lt=1)]
    split_seed: Annotated[int, Field(ge=0)]


class DatasetParams(Section):
    """Which images."""

    name: Literal["shapes", "bccd", "coco2017", "tutorial", "local"]
    classes: Names | None
    limit: Count | None
    shapes: ShapesParams
    bccd: BccdParams
    coco2017: Coco2017Params
    tutorial: TutorialParams
    local: LocalParams
