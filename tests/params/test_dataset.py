"""Valid and invalid values of dataset.*; test_reader.py tests what all sections share."""

from pathlib import Path

import pytest
from ruamel.yaml import YAML

from ssdcore.core.errors import InputError
from ssdcore.params.reader import read_params

ROOT = Path(__file__).parents[2]


def read(tmp_path: Path, key: str, value: object):
    """Reads params.yaml with one key of dataset changed."""
    yaml = YAML(typ="safe")
    params = yaml.load(ROOT / "params.yaml")
    section = params["dataset"]
    *path, name = key.split(".")
    for part in path:
        section = section[part]
    assert name in section
    section[name] = value
    yaml.dump(params, tmp_path / "params.yaml")
    return read_params(tmp_path / "params.yaml").dataset


def test_a_tilde_in_a_data_path_stands_for_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    assert read(tmp_path, "local.train_images", "~/photos").local.train_images == "/home/me/photos"


@pytest.mark.parametrize(("value", "counts"), [("examples/local", False), ("/photos", True)])
def test_the_example_stands_for_the_four_paths(tmp_path, value, counts):
    assert read(tmp_path, "local.path", value).local.is_one_path is counts


@pytest.mark.parametrize(
    ("section", "keys"),
    [
        ("shapes", ["test_images"]), ("bccd", ["val_share"]),
        ("local", ["test_path", "test_share", "group"]),
    ],
)  # fmt: skip
def test_a_file_of_an_earlier_version_has_no_test_split(tmp_path, section, keys):
    values = YAML(typ="safe").load(ROOT / "params.yaml")
    for key in keys:
        del values["dataset"][section][key]
    YAML().dump(values, tmp_path / "params.yaml")
    found = getattr(read_params(tmp_path / "params.yaml").dataset, section)
    assert [getattr(found, key) for key in keys] in ([0], ["examples/local", 0, None])


@pytest.mark.parametrize("value", ["coco", "classes", "name", "source", 5, None])
def test_a_name_without_a_section_is_refused(tmp_path, value):
    expected = r"expected 'shapes', 'bccd', "
    with pytest.raises(InputError, match=rf"params\.yaml: dataset\.name: .*{expected}"):
        read(tmp_path, "name", value)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("classes", []), ("classes", "cat"), ("limit", 0), ("limit", 2.5),
        ("bccd.archive", ""), ("bccd.archive", None), ("coco2017.val_images", ""),
        ("coco2017.train_images", None), ("coco2017.annotations", 1), ("tutorial.archive", None),
        ("local.format", "csv"), ("local.val_share", 0), ("local.val_share", 1),
        ("local.val_share", "0.2"), ("local.split_seed", -1), ("local.split_seed", None),
        ("local.test_share", 1), ("local.test_share", 0.8), ("local.test_path", None),
        ("local.path", None), ("local.path", ""), ("local.train_images", " "),
        ("local.group", "^patient"), ("local.group", "(a)(b)"), ("local.group", "(a"),
        ("shapes.test_images", -1), ("coco2017.val_share", 1), ("bccd.val_share", -0.1),
    ],
)  # fmt: skip
def test_an_invalid_value_is_named(tmp_path, key, value):
    with pytest.raises(InputError, match=rf"params\.yaml: dataset\.{key}: "):
        read(tmp_path, key, value)


@pytest.mark.parametrize("value", [[""], [5]])
def test_a_class_without_name_is_refused(tmp_path, value):
    with pytest.raises(InputError, match=r"params\.yaml: dataset\.classes\.0: "):
        read(tmp_path, "classes", value)
