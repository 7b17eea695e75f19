"""Photos per second: of `predict` against its floor, and of the loader in training.

Detects with model/best.ckpt and export/ssd300.onnx in 158 photos of COCO's size and in 50 of 12
megapixels: drawn images, or those of the split val of --data, enlarged and with noise. `predict`
checks, draws and encodes each photo besides; its floor is decoding for the network, and the
network. The four candidates of a kind of photo run in turns.

The loader reads photos of 12 megapixels as they are and under `convert.max_side`, with one worker;
OpenCV has one thread of its own, as in the stages. Eight minutes.
"""

import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks import harness
from benchmarks.our_ssd300 import load_network
from ssdcore.coco.annotations import read_coco
from ssdcore.core import layout

ROUNDS = 5
KINDS = {"COCO's size": (158, 640), "12 megapixels": (50, 4000)}
"""Number of photos, and their longer side in pixels."""
QUICK_PHOTOS = 4
NOISE, JPEG_QUALITY = 6, 92
BATCH, WORKERS = 4, 2
LOADED_PHOTOS, LOADED_SIDE = 16, 4000
MAX_SIDES = {"whole photos": None, "convert.max_side 1024": 1024}
MODELS = {"checkpoint": layout.BEST_CHECKPOINT, "onnx": layout.EXPORT / "ssd300.onnx"}


def measure(*, quick: bool, data: Path | None) -> dict[str, Any]:
    """Returns photos per second of each model and kind of photo, and of the loader."""
    return {"rows": predictions(data, quick=quick), "loader": loader(quick=quick)}


def predictions(data: Path | None, *, quick: bool) -> list[dict[str, Any]]:
    """Returns photos per second of each model and kind of photo."""
    rows = []
    with tempfile.TemporaryDirectory(prefix="photos-") as temporary:
        folder = Path(temporary)
        most = QUICK_PHOTOS if quick else max(number for number, _ in KINDS.values())
        images = sorted(((data or harness.drawn(folder, 1, most)) / "images/val").iterdir())
        for kind, (number, side) in KINDS.items():
            photos = folder / kind
            photos.mkdir()
            number = min(number, most)
            for path in images[:number]:
                write_photo(path, photos / path.name, side)
            contenders = {}
            for name, model in MODELS.items():
                contenders[f"{name}, floor"] = floor(model, photos)
                contenders[name] = predict(model, photos, folder / "out")
            seconds = harness.take_turns(contenders, 1 if quick else ROUNDS)
            for name in MODELS:
                least, whole = seconds[f"{name}, floor"], seconds[name]
                rows.append({
                    "photos": kind,
                    "network": name,
                    "floor": harness.summary([number / took for took in least]),
                    "predict": harness.summary([number / took for took in whole]),
                    "ratio": harness.summary(harness.ratios(least, whole)),
                })  # fmt: skip
    return rows


def write_photo(source: Path, target: Path, side: int) -> tuple[int, int]:
    """Writes an image with sides of 4 to 3, as phones take them, and with noise.

    Returns:
        its height and width; `side` is the longer one.
    """
    bgr = cv2.imread(str(source))
    short = side * 3 // 4
    height, width = (short, side) if bgr.shape[1] >= bgr.shape[0] else (side, short)
    bgr = cv2.resize(bgr, (width, height), interpolation=cv2.INTER_CUBIC)
    noise = np.random.default_rng(1).integers(-NOISE, NOISE, bgr.shape, np.int16, endpoint=True)
    bgr = cv2.add(bgr, noise, dtype=cv2.CV_8U)
    cv2.imwrite(str(target), bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return height, width


def floor(model: Path, photos: Path) -> Callable[[], None]:
    """Returns what decodes the photos for a network, and computes its answers."""
    from ssdcore.data.images import decode_for_network
    from ssdcore.data.preprocess import to_network_input
    from ssdcore.data.thread_map import batched, map_in_threads

    network = load_network(model, BATCH)

    def compute() -> None:
        paths: Iterable[Path] = sorted(photos.iterdir())
        inputs = map_in_threads(
            lambda path: to_network_input(decode_for_network(path.read_bytes())), paths, WORKERS
        )
        for batch in batched(inputs, BATCH):
            network.answers(np.stack(batch))

    return compute


def predict(model: Path, photos: Path, out: Path) -> Callable[[], None]:
    """Returns what `python -m stages.predict` does with the photos once the model is loaded."""
    from ssdcore.core.signals import Signals
    from ssdcore.inference.decode import Thresholds
    from ssdcore.prediction.inputs import find_inputs
    from ssdcore.prediction.model_source import load_detector
    from ssdcore.prediction.predictor import Predictor
    from ssdcore.prediction.results import writing_results

    detector = load_detector(model, BATCH, WORKERS, "CPU", device_is_required=True)
    threshold = detector.score_threshold
    thresholds = Thresholds(score=threshold.score if threshold else 0.4)
    labels = range(1, len(detector.classes) + 1)

    def compute() -> None:
        found = find_inputs([str(photos)], out, allow_url=False)
        with writing_results(out, detector.classes, table=False) as results, Signals() as signals:
            predictor = Predictor(detector, thresholds, labels, out, results, WORKERS, signals)
            predictor.predict_photos(found)

    return compute


def loader(*, quick: bool) -> dict[str, Any]:
    """Returns the loader's images per second with whole and with scaled photos, and their ratio."""
    from ssdcore.data.convert import convert_split

    cv2.setNumThreads(1)
    number = QUICK_PHOTOS if quick else LOADED_PHOTOS
    with tempfile.TemporaryDirectory(prefix="photos-") as temporary:
        folder = harness.drawn(Path(temporary), number, 1)
        photos = folder / "images/train"
        split = read_coco(folder / "annotations/instances_train.json")
        large = []
        for image in split.images:
            path = photos / image.file_name
            height, width = write_photo(path, path, LOADED_SIDE)
            large.append(image._replace(height=height, width=width))
        split = split._replace(images=tuple(large))
        contenders = {}
        for name, most in MAX_SIDES.items():
            shards = folder / str(most) / "train.mindrecord"
            convert_split(split, photos, shards, 1, max_side=most)
            contenders[name] = epoch(shards)
        seconds = harness.take_turns(contenders, 1 if quick else ROUNDS)
    speeds = {name: [number / took for took in each] for name, each in seconds.items()}
    return {
        "images_per_second": {name: harness.summary(each) for name, each in speeds.items()},
        "ratio": harness.summary(harness.ratios(*seconds.values())),
    }


def epoch(shards: Path) -> Callable[[], int]:
    """Returns what reads an epoch and returns its number of steps."""
    from ssdcore.data.loader import TrainingLoader
    from ssdcore.data.mindrecord import find_shards
    from ssdcore.geometry.default_boxes import default_boxes
    from ssdcore.params.schema import AugmentParams

    augment = AugmentParams(**dict.fromkeys(AugmentParams.model_fields, 0.0) | {"crop": 1.0})
    loader = TrainingLoader(find_shards(shards), BATCH, 1, default_boxes(), augment, 1, 1)
    return lambda: sum(1 for _ in loader.epoch(1))


def as_table(content: harness.Content) -> str:
    """Returns a row for each kind of photo and model, and a table of the loader."""
    header = ["images per second", "network", "decode + network", "predict", "predict / floor"]
    rows = []
    for row in content["rows"]:
        speeds = [", ".join(harness.spread(row[key], 1)) for key in ("floor", "predict")]
        ratio = ", ".join(harness.spread(row["ratio"]))
        rows.append([row["photos"], row["network"], *speeds, ratio])
    of_loader, ratio = content["loader"], " / ".join(reversed(MAX_SIDES))
    figures = {**of_loader["images_per_second"], ratio: of_loader["ratio"]}
    loaded = [[name, *harness.spread(row, 1)] for name, row in figures.items()]
    heading = ["images per second, 12 megapixels", "median", "lowest to highest"]
    return "\n\n".join(
        [harness.table(header, rows), "The loader, in training:", harness.table(heading, loaded)]
    )


if __name__ == "__main__":
    libraries = ("mindspore", "onnxruntime", "opencv-python-headless")
    options = {"--data": harness.DATA}
    harness.run("photos", __doc__, measure, as_table, *libraries, options=options)
