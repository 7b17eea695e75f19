"""The train stage with a network that compiles in a tenth of the time: `python -m` this module."""

from functools import partial

from ssdcore.core.command import run
from ssdcore.training import setup
from stages import train
from tests.training.tiny import build_tiny

if __name__ == "__main__":
    setup.prepare_training = partial(setup.prepare_training, build=build_tiny)
    train.__spec__ = __spec__  # what the launcher starts in each process
    run(train.app)
