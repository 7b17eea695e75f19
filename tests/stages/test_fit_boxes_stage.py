import json
import re
import shlex
import shutil

import numpy as np
import pytest
from dvc.utils.hydra import apply_overrides

from ssdcore.params.reader import read_params
from tests.coco_files import box, write_coco
from tests.project import ROOT, loaded, stage_inside


@pytest.fixture
def folder(tmp_path):
    """Converted data: small, high objects, a large one in a skipped image, and a crowd."""
    shutil.copy(ROOT / "params.yaml", tmp_path)
    rng = np.random.default_rng(1)
    images = [{"id": n, "file_name": f"{n}.jpg", "height": 300, "width": 300} for n in range(40)]
    rows = [box(n % 39, 1, [*rng.uniform(0, 270, 2), 12, 24]) for n in range(300)]
    rows += [box(39, 1, [0, 0, 200, 100]), box(0, 1, [0, 0, 250, 250], iscrowd=1)]
    data = tmp_path / "data/mindrecord"
    write_coco(data / "ground_truth_train.json", images, rows)
    conversion = {"train": {"skipped_files": [{"image_id": 39}]}}
    (data / "conversion.json").write_text(json.dumps(conversion))
    return tmp_path


def test_the_printed_options_raise_the_share(folder):
    status, lines, packages = loaded(folder, "fit_boxes")
    assert status == 0
    assert "mindspore" not in packages
    shares = {line.split()[0]: line.split()[1:] for line in lines[2:6]}
    assert shares["small"][0] == shares["all"][0] == "300"
    assert shares["medium"] == shares["large"] == ["0"]
    now, then = (float(share.rstrip("%")) for share in shares["all"][1:])
    assert now < 50
    assert then > 90
    assert all(len(line) <= 80 for line in lines[:-1])

    words = shlex.split(lines[-1])
    assert words[:3] == ["dvc", "exp", "run"]
    apply_overrides(folder / "params.yaml", [words[4], words[6]])
    assert read_params(folder / "params.yaml").model.aspect_ratios
    again = stage_inside(folder, "fit_boxes").stdout.splitlines()
    assert again[5].split()[2] == shares["all"][2]


def test_objects_are_those_of_the_networks_input(folder):
    """A letterboxed wide image is a stretched square one with nothing in its lower part."""
    truth, params = folder / "data/mindrecord/ground_truth_train.json", folder / "params.yaml"
    text, said = truth.read_text(), []
    for height, resize in ((300, "letterbox"), (1200, "stretch"), (300, "stretch")):
        sized = text.replace('"width": 300', '"width": 1200')
        truth.write_text(sized.replace('"height": 300', f'"height": {height}'))
        params.write_text(re.sub("resize: [a-z]+", f"resize: {resize}", params.read_text()))
        said.append(stage_inside(folder, "fit_boxes").stdout)
    assert said[0] == said[1] != said[2]


def test_without_converted_data_the_stage_to_run_is_named(tmp_path):
    shutil.copy(ROOT / "params.yaml", tmp_path)
    done = stage_inside(tmp_path, "fit_boxes")
    assert done.exit_code == 2
    assert "data/mindrecord/conversion.json" in done.stderr
    assert "dvc repro convert" in done.stderr
