"""dvc.yaml against the code: its deps, its params and its paths are what the stages use."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import grimp
import pytest
from dvc_render.vega_templates import TEMPLATES
from ruamel.yaml import YAML

from ssdcore.core import layout
from ssdcore.core.nested import leaves
from ssdcore.inference.decode import Thresholds
from ssdcore.params.reader import read_params
from ssdcore.params.schema import Params
from ssdcore.training.fingerprint import IGNORED_CODE

ROOT = Path(__file__).parents[1]
PARAMS = dict(leaves(read_params(ROOT / "params.yaml").model_dump()))
PIPELINE = YAML(typ="safe").load(ROOT / "dvc.yaml")
STAGES = list(PIPELINE["stages"])
GRAPH = grimp.build_graph("ssdcore", "stages", cache_dir=None)
for module in GRAPH.find_children("ssdcore.sources"):  # fetch imports data sources by name
    GRAPH.add_import(importer="ssdcore.sources.fetch", imported=module)
ALL_PACKAGES = {"ssdcore", "stages"}
"""Their own __init__.py holds a docstring and nothing else."""
HARMLESS = {
    ("ssdcore/tracking", ("train", "evaluate", "export", "report")):
        "sends a copy of what the stage computed to MLflow and returns nothing",
    ("ssdcore/report", ("train",)): "draws preview images for MLflow; no out holds them",
    ("ssdcore/dvc", ("evaluate", "export")): "reads dvc.lock for the tags of the run",
    ("ssdcore/dvc", ("train",)):
        "the same, and whether DVC has recorded the outs of a finished training",
}  # fmt: skip
"""Folders that a stage imports but that cannot change its outs, with the reason."""
BUILT_IN = {template.DEFAULT_NAME for template in TEMPLATES}
UNDECLARED = {
    "runtime.cache_mb": "the result does not depend on it",
    "runtime.master": "where processes meet, not what they compute",
    "runtime.workers": "the result does not depend on it",
    "tracking.enabled": "says where a run is written down, not what it computes",
    "tracking.experiment": "the same",
    "tracking.images": "the same",
}


def imported_files(stage: str) -> set[str]:
    """Returns the project's files that hold the modules a stage imports, directly or not."""
    modules = {f"stages.{stage}"} | GRAPH.find_upstream_modules(f"stages.{stage}")
    return {file_of(module) for module in modules if ALL_PACKAGES.isdisjoint({module})}


def file_of(module: str) -> str:
    """Returns the path of a module, or of a package's __init__.py, from the repository root."""
    path = Path(*module.split("."))
    return str(path / "__init__.py" if (ROOT / path).is_dir() else path.with_suffix(".py"))


def lies_under(file: str, folders: Iterable[str]) -> bool:
    """Says whether `file` is one of `folders` or within one of them."""
    return any(file == folder or file.startswith(f"{folder}/") for folder in folders)


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


def code_deps(stage: str) -> set[str]:
    """Returns the folders of the library and the stage's own file, as dvc.yaml lists them."""
    return {dep for dep in entries(stage, "deps") if dep.startswith(("ssdcore/", "stages/"))}


@pytest.mark.parametrize("stage", STAGES)
def test_every_imported_module_lies_under_a_listed_folder(stage):
    listed = code_deps(stage) | {folder for folder, stages in HARMLESS if stage in stages}
    assert [file for file in sorted(imported_files(stage)) if not lies_under(file, listed)] == []


@pytest.mark.parametrize("stage", STAGES)
def test_every_listed_folder_is_imported(stage):
    imported = imported_files(stage)
    unused = [dep for dep in code_deps(stage) if not any(lies_under(f, [dep]) for f in imported)]
    assert unused == []


@pytest.mark.parametrize("stage", STAGES)
def test_code_deps_are_at_most_ten_folders_and_the_stages_own_file(stage):
    deps = code_deps(stage)
    assert f"stages/{stage}.py" in deps
    assert all((ROOT / dep).is_dir() for dep in deps - {f"stages/{stage}.py"})
    assert len(deps) <= 10


def test_harmless_folders_are_imported_and_not_listed():
    """An entry that no longer applies has to go, and so has one that dvc.yaml lists as a dep."""
    for (folder, stages), reason in HARMLESS.items():
        assert reason
        for stage in stages:
            assert any(lies_under(file, [folder]) for file in imported_files(stage))
            assert folder not in code_deps(stage)


def test_the_fingerprint_of_a_training_ignores_the_same_folders():
    """Else a training would resume from saved states of other code, or start anew for a label."""
    harmless = {folder.replace("/", ".") for folder, stages in HARMLESS if "train" in stages}
    assert harmless == {name for name in IGNORED_CODE if name.startswith("ssdcore.")}


@pytest.mark.parametrize("stage", STAGES)
def test_every_stage_says_what_it_does_and_runs_as_a_module(stage):
    assert PIPELINE["stages"][stage]["desc"]
    assert PIPELINE["stages"][stage]["cmd"] == f"python -m stages.{stage}"


def test_outs_are_the_layouts_paths():
    outs = {path for stage in STAGES for path in entries(stage, "outs", "metrics", "plots")}
    names = (
        "RAW", "MINDRECORD", "TEST_DATA", "BEST_CHECKPOINT", "LAST_CHECKPOINT", "HISTORY",
        "VALIDATION", "TRAIN_METRICS", "EVALUATE_METRICS", "VALIDATION_METRICS", "EVALUATION",
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


def test_the_reader_of_params_yaml_names_a_missing_key_before_dvc_does():
    """DVC ends at a single key that params.yaml lacks, just before its stage or at once."""

    def has_default(key: str) -> bool:
        *path, name = key.split(".")
        section: Any = Params
        for part in path:
            section = section.model_fields[part].annotation
        return not section.model_fields[name].is_required()

    declared = {key for stage in STAGES for key in PIPELINE["stages"][stage].get("params", [])}
    filled_in = {key for key in PARAMS if "${" + key + "}" in str(PIPELINE["stages"])}
    named_by_the_doctor = {"dataset.local.path", "dataset.local.test_path"}
    assert {key for key in declared | filled_in if has_default(key)} == named_by_the_doctor


def test_a_setting_of_the_evaluation_alone_does_not_export_again():
    listed = PIPELINE["stages"]["export"]["params"]
    thresholds = {*Thresholds().texts()} - {"max_candidates"}  # ONNX has no limit of candidates
    assert {key for key in listed if key.startswith("evaluate")} == {
        f"evaluate.{name}" for name in ("batch_size", *thresholds)
    }


def test_plots_name_columns_and_templates_that_are_there():
    from ssdcore.coco.annotations import read_coco
    from ssdcore.coco.metrics import evaluate
    from ssdcore.coco.results import CocoResults
    from ssdcore.evaluation.tables import analyse
    from ssdcore.training import history

    truth = read_coco(ROOT / "examples/local/annotations/val.json")
    nothing = CocoResults.from_rows([])
    columns = {
        str(layout.HISTORY): set(history.COLUMNS),
        str(layout.VALIDATION): set(history.VALIDATION_COLUMNS),
    }
    for table in analyse(truth, nothing, evaluate(truth, nothing)):
        columns[str(layout.table(table.name))] = {column.name for column in table.columns}
    for plot in PIPELINE["plots"]:
        if isinstance(plot, str):
            continue
        (settings,) = plot.values()
        for path, names in settings["y"].items():
            names = [names] if isinstance(names, str) else names
            assert {*names, settings["x"]} <= columns[resolved(path)]
        template = settings.get("template", "linear")
        assert template in BUILT_IN or (ROOT / f".dvc/plots/{template}.json").is_file()
