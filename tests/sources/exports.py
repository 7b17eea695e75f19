"""Writes a COCO data set as labelling tools export it: folders, file names and formats."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from tests.sources.archives import voc_xml

Files = dict[str, bytes | str]


class Photo(NamedTuple):
    """An image of the original: its split, name, content, size and boxes (class, x, y, w, h)."""

    split: str
    name: str
    data: bytes
    height: int
    width: int
    boxes: list[tuple[str, list[float]]]


class Original(NamedTuple):
    """A COCO data set; the names of its images are unique."""

    photos: list[Photo]
    classes: list[str]


def original(folder: Path) -> Original:
    """Reads a folder in the layout of examples/local, or of ../shared/data/bccd."""
    photos, classes = [], {}
    for split in ("train", "val"):
        path = folder / f"annotations/{split}.json"
        if not path.exists():
            path = folder / f"annotations/instances_{split}.json"
        content = json.loads(path.read_text())
        classes = {c["id"]: c["name"] for c in content["categories"]}
        boxes: dict[int, list[tuple[str, list[float]]]] = {i["id"]: [] for i in content["images"]}
        for row in content["annotations"]:
            boxes[row["image_id"]].append((classes[row["category_id"]], row["bbox"]))
        images = folder / split if (folder / split).is_dir() else folder / "images" / split
        photos += [
            Photo(split, f"{split}-{i['file_name']}", (images / i["file_name"]).read_bytes(),
                  i["height"], i["width"], boxes[i["id"]])
            for i in content["images"]
        ]  # fmt: skip
    return Original(photos, list(classes.values()))


def coco(
    photos: list[Photo],
    classes: list[str],
    file_name: Callable[[Photo], str] = lambda photo: photo.name,
    first_id: int = 1,
    **of_image: Any,
) -> str:
    ids = {name: number for number, name in enumerate(classes, start=first_id)}
    rows = [
        {"image_id": number, "category_id": ids[name], "bbox": box, "area": box[2] * box[3],
         "iscrowd": 0, "segmentation": [], "ignore": 0}
        for number, photo in enumerate(photos) for name, box in photo.boxes
    ]  # fmt: skip
    images = [
        {"id": n, "file_name": file_name(p), "height": p.height, "width": p.width, **of_image}
        for n, p in enumerate(photos)
    ]
    content = {
        "info": {}, "images": images, "categories": [{"id": v, "name": k} for k, v in ids.items()],
        "annotations": [{"id": n, **row} for n, row in enumerate(rows)],
    }  # fmt: skip
    return json.dumps(content)


def parts(data: Original) -> Mapping[str, list[Photo]]:
    return {s: [p for p in data.photos if p.split == s] for s in ("train", "val")}


def roboflow_coco(data: Original) -> Files:
    """Class 0 is the group of all classes, which no box shows; the test folder is no split here."""
    files: Files = {"README.roboflow.txt": "exported"}
    splits = {"train": parts(data)["train"], "valid": parts(data)["val"], "test": data.photos[:1]}
    for name, photos in splits.items():
        classes = ["objects", *data.classes]
        files[f"{name}/_annotations.coco.json"] = coco(photos, classes, first_id=0)
        files |= {f"{name}/{photo.name}": photo.data for photo in photos}
    return files


def cvat_coco(data: Original) -> Files:
    files: Files = {}
    for split, photos in parts(data).items():
        files[f"annotations/instances_{split}.json"] = coco(photos, data.classes)
        files |= {f"images/{split}/{photo.name}": photo.data for photo in photos}
    return files


def label_studio_coco(data: Original) -> Files:
    """The paths are those of uploads on the server; the photos beside it have their own names."""

    def upload(photo: Photo) -> str:
        number = data.photos.index(photo)
        return f"../../label-studio/data/media/upload/1/{number:08x}-{photo.name}"

    files: Files = {f"images/{photo.name}": photo.data for photo in data.photos}
    return files | {"result.json": coco(data.photos, data.classes, upload, first_id=0)}


def label_studio(data: Original) -> Files:
    """Tasks with uploaded images; boxes are percentages."""
    tasks = []
    for number, photo in enumerate(data.photos):
        regions = []
        for name, (x, y, w, h) in photo.boxes:
            sides = (100 * x / photo.width, 100 * y / photo.height,
                     100 * w / photo.width, 100 * h / photo.height)  # fmt: skip
            value = dict(zip(("x", "y", "width", "height"), sides, strict=True))
            regions.append({
                "id": f"r{len(regions)}", "type": "rectanglelabels", "from_name": "label",
                "to_name": "image", "original_width": photo.width, "original_height": photo.height,
                "image_rotation": 0, "value": {**value, "rotation": 0, "rectanglelabels": [name]},
            })  # fmt: skip
        annotations = [{"id": 7, "was_cancelled": False, "result": regions}]
        upload = f"/data/upload/1/{number:08x}-{photo.name}"
        tasks.append({"id": number, "data": {"image": upload}, "annotations": annotations})
    files: Files = {f"images/{photo.name}": photo.data for photo in data.photos}
    return files | {"project-1-at-2024-05-06-07-08-abcdef.json": json.dumps(tasks)}


def fiftyone_coco(data: Original) -> Files:
    files: Files = {f"data/{photo.name}": photo.data for photo in data.photos}
    return files | {"labels.json": coco(data.photos, data.classes)}


def coco_annotator(data: Original) -> Files:
    files: Files = {photo.name: photo.data for photo in data.photos}
    return files | {"shapes-3.json": coco(data.photos, data.classes, num_annotations=1)}


def ultralytics(data: Original) -> Files:
    """Every second object is an outline; the yaml is that of another machine."""
    files: Files = {
        "data.yaml": "path: /home/someone/datasets/shapes\ntrain: images/train\nval: images/val\n"
        "test: # none\nnames:\n" + "".join(f"  {n}: {c}\n" for n, c in enumerate(data.classes))
    }
    for photo in data.photos:
        lines = []
        for number, (name, (x, y, w, h)) in enumerate(photo.boxes):
            left, right = x / photo.width, (x + w) / photo.width
            top, bottom = y / photo.height, (y + h) / photo.height
            middle = ((left + right) / 2, (top + bottom) / 2)
            values = (*middle, right - left, bottom - top)
            if number % 2:  # a rhombus
                values = (left, middle[1], middle[0], top, right, middle[1], middle[0], bottom)
            lines.append(" ".join([str(data.classes.index(name)), *(f"{v:.8f}" for v in values)]))
        stem = Path(photo.name).stem
        files[f"images/{photo.split}/{photo.name}"] = photo.data
        files[f"labels/{photo.split}/{stem}.txt"] = "\n".join(lines)
    return files


def roboflow_yolo(data: Original) -> Files:
    """The paths of its data.yaml lead out of the folder, and validation is called valid."""
    files: Files = {
        "data.yaml": f"train: ../train/images\nval: ../valid/images\nnames: {data.classes}\n"
    }
    for name, content in ultralytics(data).items():
        if name != "data.yaml":
            kind, split, file = name.split("/")
            files[f"{split.replace('val', 'valid')}/{kind}/{file}"] = content
    return files


def label_img(data: Original) -> Files:
    """An XML file beside each JPEG, without a split."""
    files: Files = {}
    for photo in data.photos:
        boxes = [(name, (x, y, x + w, y + h)) for name, (x, y, w, h) in photo.boxes]
        size = (photo.height, photo.width)
        files[photo.name] = photo.data
        files[f"{Path(photo.name).stem}.xml"] = voc_xml(photo.name, boxes, size)
    return files


def voc(data: Original) -> Files:
    files: Files = {}
    for name, content in label_img(data).items():
        files[f"{'Annotations' if name.endswith('.xml') else 'JPEGImages'}/{name}"] = content
    for split, photos in parts(data).items():
        stems = "\n".join(Path(photo.name).stem for photo in photos)
        files[f"ImageSets/Main/{split}.txt"] = stems
    return files


def labelme(data: Original) -> Files:
    files: Files = {}
    for photo in data.photos:
        shapes = [
            {"label": name, "points": [[x, y], [x + w, y + h]], "shape_type": "rectangle"}
            for name, (x, y, w, h) in photo.boxes
        ]
        content = {
            "version": "5.5.0", "flags": {}, "shapes": shapes, "imagePath": photo.name,
            "imageData": None, "imageHeight": photo.height, "imageWidth": photo.width,
        }  # fmt: skip
        files[photo.name] = photo.data
        files[f"{Path(photo.name).stem}.json"] = json.dumps(content)
    return files


def kitti(data: Original) -> Files:
    files: Files = {}
    for photo in data.photos:
        lines = [
            f"{name} 0.00 0 -1.57 {x} {y} {x + w} {y + h} 1 1 1 1 1 1 0"
            for name, (x, y, w, h) in [*photo.boxes, ("DontCare", [0, 0, 9, 9])]
        ]
        files[f"training/image_2/{photo.name}"] = photo.data
        files[f"training/label_2/{Path(photo.name).stem}.txt"] = "\n".join(lines) + "\n"
    return files


def cvat_xml(data: Original) -> Files:
    files: Files = {}
    rows = []
    for number, photo in enumerate(data.photos):
        files[f"images/{photo.name}"] = photo.data
        boxes = "".join(
            f'<box label="{name}" source="manual" occluded="0" xtl="{x}" ytl="{y}" xbr="{x + w}" '
            f'ybr="{y + h}" z_order="0"></box>'
            for name, (x, y, w, h) in photo.boxes
        )
        rows.append(
            f'<image id="{number}" name="{photo.name}" width="{photo.width}" '
            f'height="{photo.height}">{boxes}</image>'
        )
    labels = "".join(f"<label><name>{name}</name></label>" for name in data.classes)
    meta = f"<meta><task><id>1</id><labels>{labels}</labels></task></meta>"
    files["annotations.xml"] = (
        f'<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n<version>1.1</version>{meta}'
        f"{''.join(rows)}</annotations>"
    )
    return files


def labelbox(data: Original) -> Files:
    files: Files = {photo.name: photo.data for photo in data.photos}
    rows = []
    for number, photo in enumerate(data.photos):
        objects = [
            {"name": name, "annotation_kind": "ImageBoundingBox",
             "bounding_box": {"left": x, "top": y, "width": w, "height": h}}
            for name, (x, y, w, h) in photo.boxes
        ]  # fmt: skip
        rows.append({
            "data_row": {"id": f"c{number}", "external_id": photo.name},
            "media_attributes": {"height": photo.height, "width": photo.width},
            "projects": {"p": {"labels": [{"annotations": {"objects": objects}}]}},
        })  # fmt: skip
    return files | {"export.ndjson": "\n".join(json.dumps(row) for row in rows)}


EXPORTS: dict[str, Callable[[Original], Files]] = {
    function.__name__: function
    for function in (
        roboflow_coco, cvat_coco, label_studio_coco, label_studio, fiftyone_coco, coco_annotator,
        ultralytics, roboflow_yolo, label_img, voc, labelme, kitti, cvat_xml, labelbox,
    )
}  # fmt: skip
SPLIT = ("roboflow_coco", "cvat_coco", "ultralytics", "roboflow_yolo", "voc")
"""The exports with a split of their own."""
