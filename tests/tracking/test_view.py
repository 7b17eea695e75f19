"""What MLflow's page reads from an experiment; a browser was looked at for what it shows."""

import json

import pytest

from ssdcore.evaluation.tables import TRACKED as EVALUATED
from ssdcore.tracking import tracked
from ssdcore.training.logged_reports import TRACKED as TRAINED
from tests.tracking.spools import train

KIND, VIEW = "mlflow.experimentKind", "mlflow.sharedViewState.training"

pytestmark = pytest.mark.usefixtures("here", "root")


def test_an_experiment_opens_as_model_training_with_columns_of_its_runs(experiment, ask):
    params = {"train": {"lr_max": 0.1, "epochs": 2}}
    with tracked("train", params=params, experiment=experiment) as run:
        run.log_metrics(dict.fromkeys((*EVALUATED, *TRAINED.values()), 0.5), 1)
    tags = ask("get_experiment_by_name", experiment).tags
    assert tags[KIND] == "custom_model_development"
    view = json.loads(json.loads(tags[VIEW])["state"])
    (stored,) = ask("search_runs", [ask("get_experiment_by_name", experiment).experiment_id])
    existing = {
        "attributes.`Run Name`",
        *(f"metrics.`{name}`" for name in stored.data.metrics),
        *(f"params.`{name}`" for name in stored.data.params),
    }
    assert set(view["selectedColumns"]) <= existing
    assert sum(view["columnWidths"][name] for name in view["selectedColumns"]) < 620
    for card in view["compareRunCharts"]:
        assert (card["step"], card["showRunParams"]) == (0, False)


def test_an_older_experiment_gets_what_it_lacks(experiment, ask):
    ask("create_experiment", experiment, None, {VIEW: "a view of the user's"})
    train(experiment)
    tags = ask("get_experiment_by_name", experiment).tags
    assert (tags[KIND], tags[VIEW]) == ("custom_model_development", "a view of the user's")
