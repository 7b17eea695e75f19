"""Finds objects in a photo with an exported detector; needs onnxruntime, numpy and Pillow alone.

python onnx_example.py ssd300_photos.onnx photo.jpg [MIN_SCORE]
"""

import json
import sys

import numpy as np
import onnxruntime
from PIL import Image, ImageOps


def read_photo(path, network_size):
    """Returns the pixels (H, W, 3), upright, and the photo's own width and height.

    As in the pipeline, large JPEGs are decoded to 1/2, 1/4 or 1/8, for a network of so many pixels.
    """
    image = Image.open(path)
    size = image.size
    shortest = round(network_size / 0.3)  # of the decoded image's shorter side
    image.draft("RGB", (shortest, shortest))
    upright = ImageOps.exif_transpose(image)
    turned = upright.size != image.size
    return np.asarray(upright.convert("RGB")), size[::-1] if turned else size


def detect(session, path, min_score):
    """Yields name, score and box (left, top, right, bottom) of each object, best first."""
    metadata = session.get_modelmeta().custom_metadata_map
    rgb, (width, height) = read_photo(path, json.loads(metadata["preprocessing"])["size"][0])
    scale = np.array((width, height, width, height)) / (rgb.shape[1::-1] * 2)
    boxes, scores, labels = session.run(("boxes", "scores", "labels"), {"photos": rgb[None]})
    names = [one["name"] for one in json.loads(metadata["classes"])]  # label 0 is no object
    for box, score, label in zip(boxes[0], scores[0], labels[0], strict=True):
        if label and score >= min_score:
            yield names[label - 1], float(score), (box * scale).tolist()


def main():
    """Prints a line for each object: score, left, top, right, bottom in pixels, name."""
    model, photo, *chosen = sys.argv[1:]
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    measured = json.loads(session.get_modelmeta().custom_metadata_map["score_threshold"])
    min_score = float(chosen[0]) if chosen else measured["score"] if measured else 0.4
    for name, score, (left, top, right, bottom) in detect(session, photo, min_score):
        print(f"{score:.3f}\t{left:.1f}\t{top:.1f}\t{right:.1f}\t{bottom:.1f}\t{name}")


if __name__ == "__main__":
    main()
