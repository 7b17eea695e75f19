"""The settings that shares are measured with, and their table."""

import json

from benchmarks import shares
from benchmarks.workspace import write_params
from ssdcore.params.reader import read_params


def test_a_folder_is_trained_on_with_the_augmentations_of_the_custom_preset(tmp_path):
    write_params(tmp_path, shares.local_data(tmp_path / "images"))
    params = read_params(tmp_path / "params.yaml")
    custom = read_params(shares.ROOT / "presets/custom.yaml")
    demo = read_params(shares.ROOT / "params.yaml")
    assert params.train.augment == custom.train.augment != demo.train.augment
    assert params.model == demo.model
    local = params.dataset.local
    assert (params.dataset.name, local.format) == ("local", "coco")
    assert local.val_images == str(tmp_path / "images/images/val")
    assert local.train_annotations == str(tmp_path / "images/annotations/instances_train.json")


def test_epochs_have_the_steps_at_least(tmp_path):
    write_params(tmp_path, {"train.batch_size": 4})
    path = tmp_path / "data/mindrecord/conversion.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"train": {"images": {"kept": 83}}}))
    shares.set_epochs(tmp_path, 81)  # 20 steps an epoch
    assert read_params(tmp_path / "params.yaml").train.epochs == 5


def test_the_table_has_a_column_for_each_run():
    parts = dict.fromkeys(shares.PARTS, 0.5)
    run = {"seconds": parts, "shares": parts, "whole_s": 4.0, "steps": 200}
    run |= {"machine": {"commit": "abc", "load_before": 0.1}}
    run |= {"seconds_a_step": 0.25, "tracking_process_cpu_s": 3.0}
    lines = shares.as_table({"runs": {"drawn": run, "photos": run}}).splitlines()
    assert lines[0] == "| part | drawn | photos |"
    meaning = shares.PARTS["computing"]
    assert f"| computing: {meaning} | 0.50 s, 50.0% | 0.50 s, 50.0% |" in lines
    assert "| steps | 200 of 0.250 s | 200 of 0.250 s |" in lines
