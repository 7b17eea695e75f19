"""Makes a checkpoint of a detector that others published. Not a stage of the DVC pipeline."""

from pathlib import Path
from typing import Annotated

import typer

from ssdcore.core import layout
from ssdcore.core.command import command, run
from ssdcore.core.errors import InputError
from ssdcore.core.messages import say

File = Annotated[
    str,
    typer.Argument(
        metavar="FILE_OR_URL",
        help="Weights of torchvision, mmdetection, ssd.pytorch, lufficc/SSD or the MindSpore "
        "tutorial, as .safetensors, .npz, .ckpt or .pth (needs PyTorch).",
    ),
]
Out = Annotated[Path, typer.Option("--out", help="The checkpoint to write.")]
Classes = Annotated[
    Path | None,
    typer.Option(
        "--classes",
        help="Names of other classes than COCO's or VOC's: a line for each, or classes.json.",
    ),
]


def main(file: File, out: Out = Path("weights/imported.ckpt"), classes: Classes = None) -> None:
    """Write a published detector as a checkpoint, to predict, measure or fine-tune."""
    if out.suffix != layout.BEST_CHECKPOINT.suffix:  # MindSpore reads no other
        raise InputError("--out", str(out), f"a name that ends in {layout.BEST_CHECKPOINT.suffix}")

    from ssdcore.core.files import require_writable
    from ssdcore.download.local_copy import local_copy

    require_writable(out.parent, "--out")
    source = local_copy(file, "FILE_OR_URL")

    from ssdcore.coco.classes import read_classes
    from ssdcore.models.checkpoint import save
    from ssdcore.models.device import configure
    from ssdcore.models.published import read_published

    configure("CPU")  # nothing is computed
    found = read_published(source, read_classes(classes) if classes else None)
    save(out, found.network, found.metadata)
    say("\n".join([*found.lines, f"→ {out}", *found.parameters(out)]))


app = command(main)

if __name__ == "__main__":
    run(app)
