"""The images of a benchmark: a folder in COCO's layout, or drawn ones."""

from pathlib import Path


def in_coco_layout(data: Path, split: str) -> tuple[Path, Path]:
    """Returns the folder of a split's images and its annotation file."""
    return data / f"images/{split}", data / f"annotations/instances_{split}.json"


def training_images(data: Path | None, folder: Path, drawn: int) -> tuple[Path, Path]:
    """Returns the same of the training split of `data`; without it `drawn` ones, in `folder`."""
    if data is not None:
        return in_coco_layout(data, "train")
    from ssdcore.sources.shapes import write_shapes

    write_shapes(folder, seed=1, train_images=drawn, val_images=1)
    return folder / "train", folder / "annotations/instances_train.json"
