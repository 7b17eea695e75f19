"""The command `ssd`: each module of this package as a subcommand.

`ssd train` and `python -m stages train` are `python -m stages.train`. A wheel has this package as
`ssdcore.stages`.
"""

from ssdcore.core.command import modules, run

ABOUT = "Train an SSD300 object detector and use it. `ssd COMMAND --help` explains a command."
COMMANDS = {
    "download": "Fetch, draw or check the data set.",
    "convert": "Check the images and boxes, and pack them.",
    "fit-boxes": "Fit the default boxes to the objects.",
    "train": "Train the detector.",
    "evaluate": "Measure the detector.",
    "export": "Write the detector as ONNX and MINDIR.",
    "review": "Write suspicious labels for a labelling tool.",
    "report": "Render the report, or compare revisions.",
    "import": "Make a checkpoint of a published detector.",
    "predict": "Detect objects in images and videos.",
    "experiments": "Rank the experiments of DVC, or share one.",
    "search": "Search parameters for the highest AP.",
    "promote": "Make the model MLflow's champion if it is better.",
    "serve": "Open a web page to try the model on photos.",
    "reproduce": "Verify that a commit reproduces.",
    "doctor": "Check this machine and the pipeline.",
}
MODULES = {"fit-boxes": "fit_boxes", "import": "import_weights"}
"""Modules of the commands whose names are not valid in Python."""


def main() -> None:
    """Runs the subcommand that the command line names."""
    run(modules(__package__, COMMANDS, ABOUT, MODULES))


if __name__ == "__main__":
    main()
