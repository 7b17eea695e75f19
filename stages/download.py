"""Fetches, draws or checks the data set: data/raw."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ssdcore.core import layout
from ssdcore.core.command import DEFAULT_PARAMS, ParamsOption, command, run
from ssdcore.core.locks import writing_outs
from ssdcore.core.messages import counted, say

if TYPE_CHECKING:
    from ssdcore.params.dataset import DatasetParams


def main(params: ParamsOption = DEFAULT_PARAMS) -> None:
    """Fetch, draw or check the images and their COCO annotation files."""
    from ssdcore.params.reader import read_params

    dataset = read_params(params).dataset
    with writing_outs("download"):
        _download(dataset)


def _download(dataset: DatasetParams) -> None:
    from ssdcore.core.files import replacing_folder
    from ssdcore.sources.fetch import fetch

    with replacing_folder(layout.RAW) as folder:
        splits = fetch(dataset, folder)
    listed = [counted(split.listed, f"{name} image") for name, split in splits.items()]
    say(f"{dataset.name}: {', '.join(listed)} → {layout.RAW}")


app = command(main)

if __name__ == "__main__":
    run(app)
