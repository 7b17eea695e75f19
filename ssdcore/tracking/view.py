"""MLflow's view of an experiment: as model training, with the columns that matter.

MLflow opens an experiment with its GenAI pages, lists runs without parameters and metrics, and
covers images with the parameters. An address may name a workflow and a saved view, which is a tag.
"""

import json

WORKFLOW = "workflowType=machine_learning"
"""Part of the saved view's address: `#/experiments/ID/runs?WORKFLOW&viewStateShareKey=training`."""
COLUMNS = {
    "attributes.`Run Name`": 104,
    "runDateAndNestInfo": 100,
    "metrics.`AP`": 72,
    "metrics.`AP50`": 72,
    "metrics.`train/loss`": 78,
    "params.`train.lr_max`": 92,
    "params.`train.epochs`": 98,
    "duration": 76,
}
"""Columns of the list and their widths in pixels: 700 px remain beside MLflow's two side bars."""
SECTIONS = ("val", "Model metrics", "System metrics")
"""Sections of the charts over all runs; MLflow adds those of further groups of metrics."""
IMAGES = 4
"""Number of a run's images, the first ones, that have a card without parameters."""


def experiment_tags() -> dict[str, str]:
    """Returns the tags of an experiment of trainings, with the saved view `Training`."""
    card = {"isGenerated": True, "deleted": False}
    image = card | {"type": "IMAGE", "metricSectionId": "val", "step": 0, "showRunParams": False}
    names = [f"val/image_{number}" for number in range(1, IMAGES + 1)]
    state = {
        "selectedColumns": [name for name in COLUMNS if "`" in name],
        "columnOrder": list(COLUMNS),
        "columnWidths": COLUMNS,
        "compareRunCharts": [image | {"uuid": name, "imageKeys": [name]} for name in names],
        "compareRunSections": [card | {"uuid": s, "name": s, "display": True} for s in SECTIONS],
    }
    view = {"name": "Training", "createdAt": 0, "state": json.dumps(state)}
    return {
        "mlflow.experimentKind": "custom_model_development",
        "mlflow.sharedViewState.training": json.dumps(view),
    }
