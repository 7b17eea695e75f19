"""The train stage with a network that compiles in a tenth of the time: `python -m` this module.

What it tracks stays in the repository: to import MLflow takes longer than this training.
"""

from functools import partial

from ssdcore.core.command import run
from ssdcore.tracking import run as run_module
from ssdcore.training import setup
from stages import train
from tests.tracking.spools import UploadNever
from tests.training.tiny import build_tiny

if __name__ == "__main__":
    setup.prepare_training = partial(setup.prepare_training, build=build_tiny)
    run_module.UploadProcess = UploadNever
    train.__spec__ = __spec__  # what the launcher starts in each process
    run(train.app)
