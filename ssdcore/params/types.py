"""The base of all sections, and the types of the parameters with their ranges."""

from collections.abc import Callable
from math import inf
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from ssdcore.core.errors import InputError
from ssdcore.geometry.feature_maps import LAYOUTS

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]
Reference = Annotated[str, Field(min_length=1)]
"""A file's path or address; see `ssdcore.download.local_copy`."""
Names = Annotated[
    tuple[Annotated[str, Field(min_length=1)], ...], Field(min_length=1, strict=False)
]
Scales = Annotated[tuple[Positive, ...], Field(strict=False)]
Ratio = Annotated[float, Field(gt=1, allow_inf_nan=False)]
Ratios = Annotated[
    tuple[Annotated[tuple[Ratio, ...], Field(strict=False)], ...], Field(strict=False)
]
"""Aspect ratios of each map's default boxes besides squares, longer side by shorter."""

Head = Literal["conv", "separable"]
Resize = Literal["stretch", "stretch_float", "letterbox"]
Normalisation = Literal["imagenet", "caffe"]
Matching = Literal["reference", "best"]
LossName = Literal["focal", "multibox"]
OptimizerName = Literal["momentum", "adam"]
Schedule = Literal["cosine", "steps"]
Freeze = Literal["none", "conv1", "conv4", "backbone"]
PretrainedFc = Literal["subsample", "fresh"]
Device = Literal["auto", "Ascend", "GPU", "CPU"]

Format = Literal["onnx", "mindir", "float16", "int8"]
"""Export formats; the last two are ONNX files, too."""
Formats = Annotated[tuple[Format, ...], Field(min_length=1, strict=False)]

FIRST_PORT, LAST_PORT = 1024, 65535

RELATION = "relation"
"""Type of the errors about a value that contradicts another one."""


def relation(key: str, value: object, expected: str) -> PydanticCustomError:
    """Returns the error that a section's validator raises about `key`; see `RELATION`."""
    context = {"key": key, "value": value, "expected": expected}
    return PydanticCustomError(RELATION, "{key} should be {expected}", context)


def _only(is_right: Callable[[Any], bool], expected: str) -> PlainValidator:
    """Returns the check of a type's values, which stay as they are."""

    def check(value: object) -> object:
        if is_right(value):
            return value
        raise PydanticCustomError("value", expected)

    return PlainValidator(check)


def _is_a(value: object, *types: type) -> bool:
    return isinstance(value, types) and not isinstance(value, bool)


def _is_address(value: object) -> bool:
    host, _, port = value.partition(":") if isinstance(value, str) else ("", "", "")
    return bool(host) and port.isdecimal() and FIRST_PORT <= int(port) <= LAST_PORT


LossScale = Annotated[
    float | Literal["dynamic"],
    _only(lambda v: v == "dynamic" or (_is_a(v, int, float) and 1 <= v < inf),
          "dynamic or a number of at least 1"),
]  # fmt: skip
OnNonFinite = Annotated[
    int | Literal["stop"],
    _only(lambda v: v == "stop" or (_is_a(v, int) and v >= 1),
          "stop or a whole number of at least 1"),
]  # fmt: skip
Address = Annotated[
    str,
    _only(_is_address,
          f"host:port with a port from {FIRST_PORT} to {LAST_PORT}, like 10.0.0.1:8118"),
]  # fmt: skip
InputSize = Annotated[
    int, _only(lambda v: _is_a(v, int) and v in LAYOUTS, " or ".join(map(str, LAYOUTS)))
]
"""Height and width of the network's input in pixels."""

MIN_TILE = 64
Tile = Annotated[int, Field(ge=MIN_TILE)]
"""Side of a tile in pixels."""


class Section(BaseModel):
    """Base of all sections: frozen, strictly typed, no unknown keys."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")


PLAIN_WORDS = {
    "bool_type": "true or false",
    "extra_forbidden": "a known key",
    "float_type": "a number",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "model_type": "a section with its keys",
    "string_type": "text",
    "tuple_type": "a list",
}
"""The expected value in words, by the type of pydantic's error; others keep pydantic's wording."""


def explain(error: ErrorDetails) -> tuple[str, object, str]:
    """Returns the dotted key, the value and what was expected, of one of pydantic's errors."""
    key = ".".join(map(str, error["loc"]))
    if error["type"] == "missing":
        return key, None, "a value"
    if error["type"] == RELATION:
        context = error["ctx"]
        key = ".".join(map(str, [*error["loc"], context["key"]]))
        return key, context["value"], context["expected"]
    expected = PLAIN_WORDS.get(error["type"], error["msg"].removeprefix("Input should be "))
    return key, error["input"], expected


Model = TypeVar("Model", bound=BaseModel)


def checked(model: type[Model], content: object, file: str, remedy: str) -> Model:
    """Returns the description in a file as a `model`.

    Raises:
        InputError: it is not valid; the message names the file, the key and the value.
    """
    try:
        return model.model_validate(content)
    except ValidationError as error:
        key, value, expected = explain(error.errors()[0])
        where = f"{file}: {key}" if key else file
        raise InputError(where, value, expected, remedy) from None
