import json
from dataclasses import replace

from ssdcore.report.content import ReportContent
from ssdcore.report.data import as_data


def test_the_figures_are_plain_json(content: ReportContent) -> None:
    data = as_data(content)
    assert json.loads(json.dumps(data, allow_nan=False)) == data


def test_everything_but_images_and_long_curves_is_there(content: ReportContent) -> None:
    data = as_data(content)
    assert data["metrics"]["bbox"]["APs"] == 0.125
    assert data["analysis"]["threshold"] == 0.4
    assert data["analysis"]["classes"][1]["AP50"] == 0.9
    assert data["analysis"]["sizes"][0]["to"] == 16
    assert "pr_curves" not in data["analysis"]
    assert data["training"] == {
        "steps": 40, "epochs": 2.0, "loss": 4.0, "best_val_AP": 0.4, "last_val_AP": 0.4
    }  # fmt: skip
    assert data["data"]["train"]["objects_by_class"] == {"circle": 9000, "star": 270}
    assert "box_sizes" not in data["data"]["train"]
    assert data["params"]["train"]["epochs"] == 9
    assert data["environment"]["commit"] == "d66a075"
    assert data["commands"] == ["dvc repro"]
    assert "It is strongest on star (AP 0.700, 30 objects)." in data["verdict"]["good"]


def test_training_that_never_measured_has_no_figures(content: ReportContent) -> None:
    history = replace(content.history, val_ap=[None] * 4)
    training = as_data(replace(content, history=history))["training"]
    assert (training["best_val_AP"], training["last_val_AP"]) == (None, None)
