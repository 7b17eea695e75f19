"""dvc.yaml against the code: its deps, its params and its paths are what the stages use."""

from pathlib import Path
from typing import Any

import grimp
import pytest
from dvc_render.vega_templates import TEMPLATES
from ruamel.yaml import YAML

from ssdcore import layout
from ssdcore.nested import leaves
from ssdcore.params import Params
from ssdcore.params_file import read_params

ROOT = Path(__file__).parents[1]
PARAMS = dict(leaves(read_params(ROOT / "params.yaml").model_dump()))
PIPELINE = YAML(typ="safe").load(ROOT / "dvc.yaml")
STAGES = list(PIPELINE["stages"])
GRAPH = grimp.build_graph("ssdcore", "stages")
BUILT_IN = {template.DEFAULT_NAME for template in TEMPLATES}
UNDECLARED = {
    "runtime.cache_mb": "the result does not depend on it",
    "runtime.master": "where processes meet, not what they compute",
    "runtime.workers": "the result does not depend on it",
    "tracking.enabled": "says where a run is written down, not what it computes",
    "tracking.experiment": "the same",
    "tracking.pictures": "the same",
}


def import_closure(stage: str) -> set[str]:
    """Returns the project's files that running a stage executes or reads as code."""
    modules = {f"stages.{stage}"} | GRAPH.find_upstream_modules(f"stages.{stage}")
    modules |= {name.rpartition(".")[0] for name in modules} | {"ssdcore"}
    files = set()
    for module in modules - {""}:
        path = Path(*module.split("."))
        if (ROOT / path).is_dir():
            files |= {path / f.name for f in (ROOT / path).iterdir() if is_code_beside(f)}
        else:
            files.add(path.with_suffix(".py"))
    return {str(file) for file in files}


def is_code_beside(file: Path) -> bool:
    """Says whether a file belongs to its whole package: __init__.py, templates, styles."""
    return file.name == "__init__.py" or (file.is_file() and file.suffix not in {".py", ".pyc"})


def resolved(text: str) -> str:
    """Fills in ${...} from vars and params.yaml."""
    values = dict(PARAMS)
    for variables in PIPELINE["vars"]:
        values |= variables
    for name, value in values.items():
        text = text.replace("${" + name + "}", str(value))
    return text


def entries(stage: str, *kinds: str) -> list[str]:
    """Returns the paths that a stage lists under some headings."""
    found = []
    for kind in kinds:
        for entry in PIPELINE["stages"][stage].get(kind, []):
            found.append(resolved(entry if isinstance(entry, str) else next(iter(entry))))
    return found


@pytest.mark.parametrize("stage", STAGES)
def test_code_deps_are_the_import_closure(stage):
    declared = {dep for dep in entries(stage, "deps") if dep.startswith(("ssdcore/", "stages/"))}
    assert sorted(declared) == sorted(import_closure(stage))


def test_the_closure_follows_imports_inside_functions():
    """A test of the test above: train imports what it needs within its function."""
    assert "ssdcore/nn/losses.py" in import_closure("train")
    assert "ssdcore/nn/losses.py" not in import_closure("download")
    assert "ssdcore/report/templates/report.html.jinja" in import_closure("report")


@pytest.mark.parametrize("stage", STAGES)
def test_every_stage_says_what_it_does_and_runs_as_a_module(stage):
    assert PIPELINE["stages"][stage]["desc"]
    assert PIPELINE["stages"][stage]["cmd"] == f"python -m stages.{stage}"


def test_outs_are_the_layouts_paths():
    outs = {path for stage in STAGES for path in entries(stage, "outs", "metrics", "plots")}
    names = (
        "RAW", "MINDRECORD", "BEST_CHECKPOINT", "LAST_CHECKPOINT", "HISTORY", "VALIDATION",
        "TRAIN_METRICS", "EVALUATE_METRICS", "PREDICTIONS", "PER_CLASS", "PR_CURVES",
        "ANALYSIS", "SCORE_CURVES", "CONFUSION", "ERRORS", "CALIBRATION",
        "REPORT_PAGE", "REPORT_JSON", "REPORT_TEXT", "GALLERY", "EXPORT",
    )  # fmt: skip
    assert outs == {str(getattr(layout, name)) for name in names}


def test_data_deps_exist_or_are_made_by_an_earlier_stage():
    made: list[str] = []
    for stage in STAGES:
        for dep in entries(stage, "deps"):
            in_git = (ROOT / dep).exists() and dep.startswith(("ssdcore", "stages", "examples"))
            assert in_git or any(dep == out or dep.startswith(out + "/") for out in made), dep
        made += entries(stage, "outs", "metrics", "plots")


def test_every_parameter_is_some_stages_or_of_no_consequence():
    declared = {key for stage in STAGES for key in PIPELINE["stages"][stage].get("params", [])}
    keys = set(PARAMS)
    covered = {key for key in keys if any(key == d or key.startswith(d + ".") for d in declared)}
    assert keys - covered == set(UNDECLARED)
    assert all(any(key == d or key.startswith(d + ".") for key in keys) for d in declared)


def test_plots_name_columns_and_templates_that_are_there(tmp_path, monkeypatch):
    from ssdcore import history
    from ssdcore.analysis.analyse import analyse
    from ssdcore.analysis.tables import write_evaluation
    from ssdcore.detection.coco_metrics import evaluate
    from ssdcore.detection.coco_results import CocoResults

    truth = ROOT / "examples/local/annotations/val.json"
    nothing = CocoResults.from_rows([])
    figures = evaluate(truth, nothing)
    monkeypatch.chdir(tmp_path)
    analysis = analyse(truth, nothing, figures)
    write_evaluation(figures, analysis, nothing, 1, 1.0, {"nms": 1.0}, "CPU")
    columns = {
        str(layout.HISTORY): set(history.COLUMNS),
        str(layout.VALIDATION): set(history.VALIDATION_COLUMNS),
    }
    for path in layout.EVALUATION.glob("*.csv"):
        columns[str(path)] = set(path.read_text().splitlines()[0].split(","))
    for plot in PIPELINE["plots"]:
        if isinstance(plot, str):
            continue
        (settings,) = plot.values()
        for path, names in settings["y"].items():
            names = [names] if isinstance(names, str) else names
            assert {*names, settings["x"]} <= columns[resolved(path)]
        template = settings.get("template", "linear")
        assert template in BUILT_IN or (ROOT / f".dvc/plots/{template}.json").is_file()


def test_params_model_and_file_agree():
    def keys(model: Any, prefix: str = "") -> set[str]:
        found = set()
        for name, field in model.model_fields.items():
            nested = hasattr(field.annotation, "model_fields")
            found |= keys(field.annotation, f"{prefix}{name}.") if nested else {prefix + name}
        return found

    assert keys(Params) == set(PARAMS)
