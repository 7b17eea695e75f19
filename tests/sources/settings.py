"""Parameters of a data set, and what is fetched with them."""

import json
from pathlib import Path
from typing import Any

from ssdcore.params.dataset import DatasetParams
from ssdcore.params.reader import read_params
from ssdcore.sources.fetch import fetch
from tests.project import ROOT

DATASET = read_params(ROOT / "params.yaml").dataset


def dataset(name: str, **values: Any) -> DatasetParams:
    """Returns the defaults with this `dataset.name` and these values in its section."""
    section = getattr(DATASET, name).model_copy(update=values)
    return DATASET.model_copy(update={"name": name, name: section})


def four_paths(
    train: tuple[Path, Path], val: tuple[Path, Path] | None = None, **more: Any
) -> DatasetParams:
    """Returns parameters with (annotations, images) of the splits; val is train by default."""
    values = {
        f"{split}_{kind}": str(path)
        for split, pair in (("train", train), ("val", val or train))
        for kind, path in zip(("annotations", "images"), pair, strict=True)
    }
    return dataset("local", **values | more)


def listed(raw: Path, split: str) -> dict[str, Any]:
    """Returns the annotation file that was fetched for a split."""
    return json.loads((raw / f"annotations/instances_{split}.json").read_text())


def fetched(settings: DatasetParams, raw: Path) -> dict[str, dict[str, Any]]:
    """Fetches a data set and returns its annotation files by split."""
    return {split: listed(raw, split) for split in fetch(settings, raw)}
