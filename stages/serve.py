"""Opens a web page to try a detector on photos. A command for users; not a stage of the pipeline.

Exit status: 0 stopped by Ctrl-C; 2 no such model, or a port that is taken.
"""

import webbrowser
from threading import Thread
from typing import Annotated

import typer

from ssdcore.core import layout
from ssdcore.core.command import command, run
from ssdcore.core.errors import InputError
from ssdcore.core.messages import say

Model = Annotated[
    str, typer.Option("--model", help="An exported .onnx file, or what predict --model takes.")
]
Port = Annotated[
    int, typer.Option("--port", min=0, max=65535, help="The page's port [a free one].")
]
Browser = Annotated[bool, typer.Option(help="Open the page in a browser.")]


def main(model: Model = str(layout.DETECTOR), port: Port = 0, browser: Browser = True) -> None:
    """Open a web page to try a model: drop a photo, move the score threshold.

    Only this machine can open it. `mlflow models serve` answers requests of others.
    """
    from ssdcore.prediction.model_source import load_detector, model_file
    from ssdcore.serving.web import PageServer

    with model_file(model) as file:
        detector = load_detector(file, 1, 1, "auto", device_is_required=False)
    try:
        server = PageServer(detector, model, port)
    except OSError as error:
        raise InputError("--port", port, f"a free port: {error.strerror}") from None
    with server:
        say(f"{model}: {server.address} (Ctrl-C stops it)")
        if browser:
            # one on a console ends only when the user leaves it
            Thread(target=webbrowser.open, args=(server.address,), daemon=True).start()
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            say("Stopped.")


app = command(main)

if __name__ == "__main__":
    run(app)
