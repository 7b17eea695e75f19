"""How fast images are converted and loaded, compared with the disk and with the tutorial's loader.

Measures 300 drawn images, or the training images of --data. OpenCV has one thread of its own, as in
the stages. The two loaders must do the same work: both crop and match each image several times, and
no ratio is given if the distributions differ. The limit is that of Kolmogorov and Smirnov's test,
which equal distributions exceed in one of a hundred cases. Photos of 12 megapixels are enlarged
drawn images with noise; they are loaded as they are and as `convert.max_side` stores them. One
minute.
"""

import json
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from math import log, sqrt
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks import harness
from ssdcore.coco.annotations import CocoSplit, read_coco
from ssdcore.data.augment import Sample, crop
from ssdcore.geometry.default_boxes import default_boxes
from ssdcore.geometry.matching import encode_targets

LIBRARIES = ("mindspore", "numpy", "opencv-python-headless", "pillow")
ROUNDS, DRAWN, QUICK_DRAWN = 5, 300, 24
BATCH = 4
AUGMENT = {"crop": 1.0, "flip": 0.5, "brightness": 0.4, "contrast": 0.4, "saturation": 0.4}
CACHE_BYTES = 10**9
"""For all images."""
COPY, CONVERT = "copying the files", "convert"
LOADER, KEEPING, TUTORIAL = "loader", "loader that keeps images", "tutorial's loader"
WORKERS = {1: "1 worker", 2: "2 workers"}
PHOTOS, QUICK_PHOTOS, PHOTO_WH, NOISE = 16, 4, (4000, 3000), 6
"""Photos of 12 megapixels, their width and height, and the deviation of their noise in levels."""
MAX_SIDES = {"whole photos": None, "convert.max_side 1024": 1024}
CROPS = 3000
LEVEL = 0.01
QUARTILES = (0.25, 0.5, 0.75)
MEASURES = ("share of the area", "width / height", "objects kept", "positive default boxes")
DEFAULT_BOXES = default_boxes()


def measure(*, quick: bool, data: Path | None) -> dict[str, Any]:
    """Returns images per second, ratios, and the distributions of both loaders' crops.

    Raises:
        SystemExit: the distributions differ.
    """
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory(prefix="data-") as temporary:
        folder = Path(temporary)
        drawn = QUICK_DRAWN if quick else DRAWN
        harness.write_params(folder, harness.data_params(data, drawn, 1))
        harness.run_stages(folder, "download", "convert")
        raw = folder / "data/raw"
        images = folder / json.loads((raw / "source.json").read_text())["splits"]["train"]["images"]
        annotations = raw / "annotations/instances_train.json"
        split = read_coco(annotations)
        samples = [
            blank(image.height, image.width, split.objects[image.id]) for image in split.images
        ]
        crops = compare_crops(samples, CROPS, seed=1)
        if not agree(crops):
            raise SystemExit(
                f"The loaders' crops differ, so no ratio is given:\n{crops_table(crops)}"
            )
        contenders = {
            COPY: lambda: copy(split, images, folder / "out"),
            CONVERT: lambda: convert(annotations, images, folder / "out"),
            **loaders(folder / "data/mindrecord"),
        }
        seconds = harness.take_turns(contenders, 1 if quick else ROUNDS)
        photos = measure_photos(split, images, folder / "photos", quick=quick)
    pairs = {f"{CONVERT} / {COPY}": (CONVERT, COPY)}
    for name in (LOADER, KEEPING):
        for workers in WORKERS.values():
            pair = (f"{name}, {workers}", f"{TUTORIAL}, {workers}")
            pairs[f"{name}, {workers} / {TUTORIAL}"] = pair
    return {
        "data": data.name if data else f"{drawn} drawn images",
        "images_per_second": {
            name: harness.summary([len(samples) / took for took in each])
            for name, each in seconds.items()
        },
        "ratios": {
            name: harness.summary(harness.ratios(seconds[theirs], seconds[ours]))
            for name, (ours, theirs) in pairs.items()
        },
        "photos": photos,
        "crops": crops,
        "crops_agree": True,
    }


def measure_photos(split: CocoSplit, images: Path, folder: Path, *, quick: bool) -> dict[str, Any]:
    """Returns how fast photos of 12 megapixels are loaded, whole and scaled down once."""
    from ssdcore.data.convert import convert_split

    number, (width, height) = QUICK_PHOTOS if quick else PHOTOS, PHOTO_WH
    rng, folder_of_photos = np.random.default_rng(1), folder / "images"
    folder_of_photos.mkdir(parents=True)
    some = split.images[:number]
    for image in some:
        bgr = cv2.resize(cv2.imread(str(images / image.file_name)), PHOTO_WH)
        noise = rng.normal(0, NOISE, bgr.shape).astype(np.int16)
        noisy = np.clip(bgr + noise, 0, 255).astype(np.uint8)
        cv2.imwrite(str(folder_of_photos / f"{image.id}.jpg"), noisy)
    listed = (
        image._replace(file_name=f"{image.id}.jpg", height=height, width=width) for image in some
    )
    of_photos = split._replace(images=tuple(listed))
    contenders = {}
    for name, most in MAX_SIDES.items():
        target = folder / str(most)
        convert_split(of_photos, folder_of_photos, target / "train.mindrecord", 1, max_side=most)
        loader = training_loader(target, AUGMENT, workers=1)
        contenders[name] = lambda loader=loader: sum(1 for _ in loader.epoch(1))
    seconds = harness.take_turns(contenders, 1 if quick else ROUNDS)
    whole, scaled = MAX_SIDES
    return {
        "images_per_second": {
            name: harness.summary([number / took for took in each])
            for name, each in seconds.items()
        },
        "ratio": harness.summary(harness.ratios(seconds[whole], seconds[scaled])),
    }


def copy(split: CocoSplit, images: Path, out: Path) -> None:
    """Copies a split's image files."""
    shutil.rmtree(out, ignore_errors=True)
    for image in split.images:
        target = out / image.file_name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(images / image.file_name, target)


def convert(annotations: Path, images: Path, out: Path) -> None:
    """Converts a split as the stage does."""
    from ssdcore.data.convert import convert_split

    shutil.rmtree(out, ignore_errors=True)
    convert_split(read_coco(annotations), images, out / "train.mindrecord", shards=1)


def loaders(mindrecord: Path) -> dict[str, Callable[[], int]]:
    """Returns what reads an epoch of each loader with 1 and 2 workers, start included.

    The loader that keeps images (`runtime.cache_mb`) has them from the warm-up round on.
    """
    from benchmarks.reference_loader import reference_batches
    from ssdcore.data.mindrecord import find_shards

    def ours(workers: int, cache_bytes: int) -> Callable[[], int]:
        loader = training_loader(mindrecord, AUGMENT, workers, cache_bytes)
        return lambda: sum(len(batch.images) for step in loader.epoch(1) for batch in step)

    def theirs(workers: int) -> Callable[[], int]:
        return lambda: sum(len(batch[0]) for batch in reference_batches(shards, BATCH, workers))

    shards = find_shards(mindrecord / "train.mindrecord")
    contenders: dict[str, Callable[[], int]] = {}
    for number, workers in WORKERS.items():
        contenders[f"{LOADER}, {workers}"] = ours(number, 0)
        contenders[f"{KEEPING}, {workers}"] = ours(number, CACHE_BYTES)
        contenders[f"{TUTORIAL}, {workers}"] = theirs(number)
    return contenders


def training_loader(
    mindrecord: Path, augment: Mapping[str, float], workers: int, cache_bytes: int = 0
) -> Any:
    """Returns the project's loader of a folder's training split."""
    from ssdcore.data.loader import TrainingLoader
    from ssdcore.data.mindrecord import find_shards
    from ssdcore.params.schema import AugmentParams

    params = AugmentParams(**dict.fromkeys(AugmentParams.model_fields, 0.0) | dict(augment))
    return TrainingLoader(
        find_shards(mindrecord / "train.mindrecord"), BATCH, 1, DEFAULT_BOXES, params,
        1, workers, cache_bytes=cache_bytes,
    )  # fmt: skip


def compare_crops(samples: Sequence[Sample], draws: int, seed: int) -> dict[str, dict[str, Any]]:
    """Crops and matches `draws` times with each loader, the images in turn.

    Returns:
        By measure: quartiles of both loaders, the distance of their distributions and its limit.
    """
    from benchmarks import reference_loader

    rng = np.random.default_rng(seed)
    np.random.seed(seed)

    def ours(sample: Sample) -> tuple[tuple[int, ...], int, int]:
        rgb, (boxes, labels, crowd) = crop(sample, rng)
        targets = encode_targets(boxes, labels, DEFAULT_BOXES, crowd)
        return rgb.shape, len(labels), targets.num_positives

    def theirs(sample: Sample) -> tuple[tuple[int, ...], int, int]:
        rows = np.column_stack(sample.objects).astype(np.float32)
        rgb, kept = reference_loader.crop(sample.rgb, rows)
        return rgb.shape, len(kept), int(reference_loader.encode(kept)[2][0])

    def measured(crop_one: Callable[[Sample], Any]) -> NDArray[np.float64]:
        rows = []
        for number in range(draws):
            sample = samples[number % len(samples)]
            (height, width, _), objects, positives = crop_one(sample)
            share = height * width / (sample.rgb.shape[0] * sample.rgb.shape[1])
            rows.append((share, width / height, objects, positives))
        return np.array(rows)

    return {
        measure: {
            LOADER: np.quantile(a, QUARTILES).round(3).tolist(),
            TUTORIAL: np.quantile(b, QUARTILES).round(3).tolist(),
            "distance": round(distance(a, b), 4),
            "limit": round(limit(draws, draws), 4),
        }
        for measure, a, b in zip(MEASURES, measured(ours).T, measured(theirs).T, strict=True)
    }


def blank(height: int, width: int, objects: Any) -> Sample:
    """Returns an image whose pixels do not matter, without memory for them."""
    return Sample(np.broadcast_to(np.uint8(0), (height, width, 3)), objects)


def distance(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Returns the largest difference between the two empirical distribution functions."""
    values = np.concatenate([a, b])
    shares = [np.searchsorted(np.sort(one), values, side="right") / len(one) for one in (a, b)]
    return float(np.abs(shares[0] - shares[1]).max())


def limit(n: int, m: int) -> float:
    """Returns the distance that samples of one distribution exceed in `LEVEL` of all cases."""
    return sqrt(-log(LEVEL / 2) / 2 * (n + m) / (n * m))


def agree(crops: Mapping[str, Mapping[str, Any]]) -> bool:
    """Returns whether no distance exceeds its limit."""
    return all(row["distance"] <= row["limit"] for row in crops.values())


def crops_table(crops: Mapping[str, Mapping[str, Any]]) -> str:
    """Returns a row for each measure."""
    rows = []
    for measure, row in crops.items():
        quartiles = [" ".join(f"{value:g}" for value in row[who]) for who in (LOADER, TUTORIAL)]
        rows.append([measure, *quartiles, row["distance"], row["limit"]])
    return harness.table(["quartiles of a crop's", LOADER, TUTORIAL, "distance", "limit"], rows)


def as_table(content: harness.Content) -> str:
    """Returns tables of the speeds, the ratios and the crops."""
    tables = [
        ("images per second", content["data"], content["images_per_second"], 0),
        ("ratio", content["data"], content["ratios"], 2),
    ]
    if photos := content.get("photos"):  # earlier results lack it
        data, ratio = "loader, 12 megapixels", {" / ".join(reversed(MAX_SIDES)): photos["ratio"]}
        tables += [
            ("images per second", data, photos["images_per_second"], 1),
            ("ratio", data, ratio, 1),
        ]
    parts = []
    for title, data, rows_of, digits in tables:
        header = [f"{title}, {data}", "median", "lowest to highest"]
        rows = [[name, *harness.spread(row, digits)] for name, row in rows_of.items()]
        parts.append(harness.table(header, rows))
    return "\n\n".join([*parts, crops_table(content["crops"])])


if __name__ == "__main__":
    harness.run("data", __doc__, measure, as_table, *LIBRARIES, takes_data=True)
