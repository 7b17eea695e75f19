"""Reads params.yaml into `Params`; one sentence describes the first mistake."""

import difflib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from ssdcore.core.errors import InputError, found_instead
from ssdcore.core.messages import say
from ssdcore.params.schema import Params
from ssdcore.params.types import explain

RENAMED = {
    ("report", "pictures"): "images",
    ("export", "calibration_pictures"): "calibration_images",
    ("export", "parity_pictures"): "parity_images",
    ("tracking", "pictures"): "images",
}
"""The present name of each parameter by its section and its name in earlier versions."""


def read_params(path: Path) -> Params:
    """Reads and checks a parameter file; a line on stderr names each parameter of an old name.

    Raises:
        InputError: see `read_values` and `check_params`.
    """
    values, notes = with_new_names(read_values(path))
    params = check_params(values, path)
    for note in notes:
        say(f"{path}: {note}", error=True)
    return params


def read_values(path: Path) -> Mapping[str, Any]:
    """Reads a parameter file without checking its content.

    The YAML version is 1.2, like DVC's: `1e-06` is a number and `no` is text.

    Raises:
        InputError: the file is missing or is no YAML mapping.
    """
    try:
        values = YAML(typ="safe", pure=True).load(path)
    except OSError as error:
        raise InputError(
            str(path), found_instead(error), "a readable file", "Name it with --params FILE"
        ) from None
    except YAMLError as error:
        remedy = "Correct this line; a text with a colon, # or backslash needs single quotes"
        fault = " ".join(str(error).split())
        raise InputError(str(path), fault, "valid YAML 1.2", remedy) from None
    except RecursionError:
        raise InputError(str(path), "hundreds of nested brackets", "valid YAML 1.2") from None
    if not isinstance(values, Mapping):
        raise InputError(
            str(path), values, "a section for each of " + ", ".join(Params.model_fields)
        )
    return values


def check_params(values: Mapping[str, Any], path: Path) -> Params:
    """Checks the values that `read_values` returns; takes names of earlier versions, too.

    Raises:
        InputError: a key is unknown, missing, of the wrong type or out of range; the message
            names the file and the key, such as `train.lr_max`.
    """
    try:
        return Params.model_validate(with_new_names(values)[0])
    except ValidationError as error:
        raise _translated(error.errors(), path) from None


def with_new_names(values: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Returns the values by their present names, and a note for each that had an earlier one."""
    present, notes = dict(values), []
    for (section, old), new in RENAMED.items():
        if isinstance(present.get(section), Mapping) and old in present[section]:
            ignored = ", which is set too and counts" if new in present[section] else ""
            notes.append(f"{section}.{old} is now {section}.{new}{ignored}.")
            present[section] = dict(present[section])
            present[section].setdefault(new, present[section].pop(old))
    return present, notes


def _translated(errors: list[ErrorDetails], path: Path) -> InputError:
    """Returns one of pydantic's errors in words for the user who edits the file.

    A misspelt key causes two errors, an unknown and a missing key: the unknown one comes first.
    """
    error = min(errors, key=lambda error: error["type"] != "extra_forbidden")
    *section, name = error["loc"] or ("",)
    key, value, expected = explain(error)
    if error["type"] == "extra_forbidden":
        known = list(_section_at(section).model_fields)
        expected = "a known key" + _did_you_mean(str(name), known)
        return InputError(f"{path}: {key}", value, expected, f"Known here: {', '.join(known)}")
    if error["type"] == "literal_error":
        choices = re.findall("'([^']+)'", error["ctx"]["expected"])
        expected += _did_you_mean(str(value), choices)
    return InputError(f"{path}: {key}", value, expected, f"Set it in {path} or with -S {key}=VALUE")


def _section_at(location: Sequence[int | str]) -> type[BaseModel]:
    """Returns the model of the section at this path of keys."""
    model: type[BaseModel] = Params
    for key in location:
        annotation = model.model_fields[str(key)].annotation
        assert isinstance(annotation, type), annotation
        model = annotation
    return model


def _did_you_mean(word: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return f" (did you mean {close[0]}?)" if close else ""
