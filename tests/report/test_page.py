import base64
import hashlib
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from ssdcore.core.errors import InputError
from ssdcore.evaluation.label_errors import OTHER_CLASS, label_errors
from ssdcore.geometry.feature_maps import LAYOUTS
from ssdcore.report.content import VariedImage
from ssdcore.report.document import LARGEST_BYTES
from ssdcore.report.gallery import BUDGET_BYTES, encode_within
from ssdcore.report.page import render
from ssdcore.report.tables import data_tables
from tests.report.conftest import CLASSES, with_rows


class Page(HTMLParser):
    """The page's elements, its visible text, and what its scripts and styles hold."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.shown = ""
        self.scripts: list[tuple[dict[str, str], str]] = []
        self.styles = ""
        self._open = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        self.elements.append((tag, attributes))
        self._open = tag
        self.shown += "" if tag == "bdi" else " "
        if tag == "script":
            self.scripts.append((attributes, ""))

    def handle_endtag(self, tag: str) -> None:
        self._open = ""
        self.shown += "" if tag == "bdi" else " "

    def handle_data(self, data: str) -> None:
        if self._open == "script":
            self.scripts[-1] = (self.scripts[-1][0], self.scripts[-1][1] + data)
        elif self._open == "style":
            self.styles += data
        else:
            self.shown += data

    def text(self) -> str:
        return " ".join(self.shown.split())


@pytest.fixture(scope="module")
def html(content):
    return render(content)


@pytest.fixture(scope="module")
def page(html):
    return Page(html)


@pytest.fixture(scope="module")
def hostile_page(hostile):
    return Page(render(hostile))


def test_hostile_words_add_no_element_and_show_as_text(page, hostile_page, hostile_names):
    assert {tag for tag, _ in hostile_page.elements} == {tag for tag, _ in page.elements}
    assert len(hostile_page.scripts) == len(page.scripts)
    for _, attributes in hostile_page.elements:
        assert not [name for name in attributes if name.startswith("on")]
    text = hostile_page.text()
    for word in hostile_names:
        assert text.count(word) >= 5, word
    alts = [attributes["alt"] for tag, attributes in hostile_page.elements if tag == "img"]
    assert alts[: len(hostile_names)] == [*hostile_names]
    assert set(alts[len(hostile_names) :]) == {"As it is", "Varied"}


def test_only_the_named_scripts_may_run(hostile_page):
    running = [text for attributes, text in hostile_page.scripts if attributes == {}]
    data = [text for attributes, text in hostile_page.scripts if attributes.get("type")]
    assert len(running) == 3
    assert len(running) + len(data) == len(hostile_page.scripts)
    policies = [
        attributes["content"]
        for _, attributes in hostile_page.elements
        if attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    allowed = re.findall(r"'sha256-([^']+)'", policies[0])
    hashes = [hashlib.sha256(text.encode()).digest() for text in running]
    assert [base64.b64decode(digest) for digest in allowed] == hashes
    assert len(policies) == 1
    assert "default-src 'none'" in policies[0]
    assert "unsafe-inline" not in policies[0].split("script-src")[1]
    for text in data:
        json.loads(text)


def test_contents_lead_to_sections_that_exist(page):
    targets = [a["href"][1:] for tag, a in page.elements if tag == "a"]
    assert targets == [a["id"] for tag, a in page.elements if tag == "section"]
    assert len(targets) >= 12


def test_the_page_shows_figures_and_verdict(page):
    text = page.text()
    assert "AP 0.500 0.480 to 0.525 AP50 0.600 validation images 500" in text
    assert "How good it is At a score threshold of 0.400 it finds 75.4 % of the objects" in text
    assert text.count("75.4") == text.count("0.480 to 0.525") == 1
    assert "Of AP50, most is lost to loose boxes: 0.062" in text
    assert "What to do next AP was still rising when training ended" in text
    top = "SSD300 on shapes 2024-02-03 16:05 UTC · run d66a075 · 4 000 train images, 500 val images"
    assert top in text.replace("\u202f", " ")
    assert "augment.flip 0.5" in text
    assert "train images no objects 12" in text


def test_the_split_of_the_figures_and_its_part_in_the_training_are_said(brief, page):
    assert "validation images 500" in page.text()
    assert "It chose the checkpoint, so AP may be lower on new images" in page.text()
    assert "images per second 24 " in page.text()
    metrics = {**brief.metrics, "split": "test", "images_per_second": 0.41}
    tested = replace(brief, metrics=metrics, validation={"bbox": {"AP": 0.625}})
    text = Page(render(tested)).text()
    assert "test images 500 images per second 0.41 " in text
    assert "other test images would give another AP" in text
    assert "All figures are of the test set, which neither trained the detector nor chose" in text
    assert "On the validation set, which chose it, AP is 0.625." in text


def test_images_that_two_splits_share_are_shown_in_pairs(brief, splits, page):
    assert "two splits share" not in page.text()
    same = [
        {"file_name": f"{n}.jpg", "other_split": "train", "other_file_name": f"t{n}.jpg", "kind": k}
        for n, k in enumerate(("same bytes", "looks the same"))
    ]
    conversion = {**splits["val"].conversion, "same_images": same}
    splits = {**splits, "val": splits["val"]._replace(conversion=conversion)}
    found = data_tables(splits, LAYOUTS[300], LAYOUTS[300].coco_scales)
    tables = {table.name: table for table in found}
    pairs = [VariedImage("val 0.jpg · train t0.jpg", [b"a val image", b"a train image"])]
    leaking = replace(brief, tables={**brief.tables, **tables}, figures={"same_images": pairs})
    html = render(leaking)
    text = Page(html).text()
    assert "Images that two splits share" in text
    assert "2 of the validation images are in another split, too" in text
    assert "val 0.jpg · train t0.jpg" in text
    assert "val 1.jpg train t1.jpg looks the same" in text
    for image in pairs[0].jpegs:
        assert base64.b64encode(image).decode() in html


def test_each_suspicious_label_is_shown_with_its_image(brief):
    row = ("3.jpg", "train", OTHER_CLASS, "star", "circle", 0.9, 0.75, 3, 1.0, 2.0, 3.0, 4.0)
    table = replace(label_errors({}, 20), rows=[row] * 14)
    images = [VariedImage(f"train 3.jpg · number {n}", [b"image %d" % n]) for n in range(14)]
    tables = {**brief.tables, table.name: table}
    html = render(replace(brief, tables=tables, figures={table.name: images}))
    text = Page(html).text()
    assert "3.jpg train other class star circle 0.900 0.750" in text
    assert "2 more images" in text
    for image in images:
        assert image.caption in text
        assert base64.b64encode(image.jpegs[0]).decode() in html
    nothing = render(replace(brief, tables={**tables, table.name: replace(table, rows=[])}))
    assert "contradict the detector" in Page(nothing).text()


def test_undefined_figures_are_dashes(page):
    text = page.text()
    assert "ghost – – – – 0 – – – – 0 0" in text
    assert "ARl –" in text
    assert "-1" not in text
    assert "None" not in text


def test_variations_are_shown_and_described(brief):
    image_files = [
        VariedImage(f"{name}.jpg", [f"{n}{name}".encode() for n in "12"]) for name in "ab"
    ]
    page = Page(render(replace(brief, variations=image_files)))
    varied = [a for tag, a in page.elements if tag == "img" and a["alt"] in ("As it is", "Varied")]
    assert [attributes["alt"] for attributes in varied] == ["As it is", "Varied"] * 2
    data = [base64.b64decode(attributes["src"].partition(",")[2]) for attributes in varied]
    assert data == [b"1a", b"2a", b"1b", b"2b"]
    assert "a.jpg" in page.text()
    assert "as three epochs might vary them" in page.text()


def test_a_training_without_variations_is_described(brief):
    page = Page(render(replace(brief, variations=[VariedImage("a.jpg", [b"1"])])))
    assert "Training images with their objects." in page.text()
    assert "as three epochs" not in page.text()
    alts = [a["alt"] for tag, a in page.elements if a.get("alt") in ("As it is", "Varied")]
    assert alts == ["As it is"]


def test_boxes_show_without_a_script_as_the_threshold_says(page):
    boxes = [a for tag, a in page.elements if a.get("class", "").startswith("box ")]
    assert [(a["class"], a["style"]) for a in boxes if "hidden" not in a] == [
        ("box missed", "left:50%;top:10%;width:20%;height:40%"),
        ("box correct", "left:10%;top:10%;width:20%;height:40%"),
        ("box background", "left:70%;top:50%;width:20%;height:40%"),
        ("box class", "left:30%;top:30%;width:30%;height:30%"),
    ]
    assert "second.jpg 1 wrong class" in page.text()


def test_each_image_is_there_once(brief):
    one = replace(brief.gallery[0], jpeg=b"an image of its own")
    html = render(replace(brief, gallery=[one]))
    assert html.count(base64.b64encode(one.jpeg).decode()) == 1


def test_the_time_of_each_part_shows_where_it_was_measured(brief, page):
    parts = {"decode": 3.21, "network": 14.0, "nms": 0.456}
    metrics = {**brief.metrics, "milliseconds": parts, "device": "CPU"}
    text = Page(render(replace(brief, metrics=metrics))).text()
    said = "An image takes 3.21 ms for decoding, 14 ms for the network and 0.456 ms for NMS on CPU."
    assert said in text
    assert "An image takes" not in page.text()


def test_one_class_and_one_row_are_counted_as_one(content):
    of_one = with_rows(replace(content, gallery=[]), "per_class", CLASSES[:1])
    text = Page(render(with_rows(of_one, "validation", [(1, 1, 0.5, 0.5)]))).text()
    assert ", 1 class Result" in text
    assert " 1 row " in text


def test_the_same_content_is_the_same_page(content, html):
    assert render(content) == html


def test_a_file_name_that_is_no_text_can_be_written(brief):
    image = replace(brief.gallery[0], file_name="byte \udcff.jpg")
    html = render(replace(brief, gallery=[image]))
    assert b"byte \\udcff.jpg" in html.encode("utf-8")


def test_a_full_page_stays_small(content):
    rng = np.random.default_rng(0)
    soft = rng.integers(0, 255, (60, 112, 3), dtype=np.uint8).repeat(8, 0).repeat(8, 1)
    noisy = np.clip(soft + rng.normal(0, 6, soft.shape), 0, 255).astype(np.uint8)
    jpegs = encode_within([noisy] * 4, BUDGET_BYTES // 10)  # a tenth of the room, as for 4 of 40
    one = content.gallery[0]
    image = replace(one, jpeg=jpegs[0], boxes=[*one.boxes[:2]] * 5 + [*one.boxes[2:]] * 15)
    names = [f"class {i}" for i in range(80)]
    big = with_rows(content, "per_class", [(name, *CLASSES[0][1:]) for name in names])
    for table in ("pr_curves", "score_curves"):
        points = [row[1:] for row in content.tables[table].rows if row[0] == "all"]
        big = with_rows(big, table, [(name, *p) for name in ("all", *names) for p in points])
    for table in ("loss", "learning_rate", "speed"):
        columns = len(content.tables[table].columns) - 1
        steps = [(n, *values) for n, values in enumerate(rng.random((20_000, columns)).tolist())]
        big = with_rows(big, table, steps)
    big = with_rows(big, "confusion", [(a, b) for a in names for b in names])
    confusion = replace(big.tables["confusion"].chart, order=(*names, "background"))
    tables = {**big.tables, "confusion": replace(big.tables["confusion"], chart=confusion)}
    variations = [VariedImage("caption", [bytes(30_000)] * 4)] * 4
    big = replace(big, tables=tables, gallery=[image] * 40, variations=variations)
    assert len(render(big).encode()) < 9_500_000


def test_a_page_that_is_too_large_is_refused(brief):
    image = replace(brief.gallery[0], jpeg=bytes(LARGEST_BYTES // 2))
    with pytest.raises(InputError, match=r"11\.\d MB.* Show fewer"):
        render(replace(brief, gallery=[image]))
