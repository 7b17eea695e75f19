"""The base of all sections, and the types of the parameters with their ranges."""

from math import isfinite
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, PlainValidator
from pydantic_core import PydanticCustomError

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]
Reference = Annotated[str, Field(min_length=1)]
"""A file's path or address; see `ssdcore.download.local_copy`."""
Names = Annotated[
    tuple[Annotated[str, Field(min_length=1)], ...], Field(min_length=1, strict=False)
]
Scales = Annotated[tuple[Positive, ...], Field(min_length=7, max_length=7, strict=False)]

Head = Literal["conv", "separable"]
Normalisation = Literal["imagenet", "caffe"]
LossName = Literal["focal", "multibox"]
OptimizerName = Literal["momentum", "adam"]
Backend = Literal["pycocotools", "faster-coco-eval"]
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


def _scale(value: object) -> object:
    number = value if isinstance(value, (int, float)) and not isinstance(value, bool) else 0
    if value == "dynamic" or (number >= 1 and isfinite(number)):
        return value
    raise PydanticCustomError("loss_scale", "dynamic or a number of at least 1")


LossScale = Annotated[float | Literal["dynamic"], PlainValidator(_scale)]


def _on_nonfinite(value: object) -> object:
    if value == "stop" or (isinstance(value, int) and not isinstance(value, bool) and value >= 1):
        return value
    raise PydanticCustomError("on_nonfinite", "stop or a whole number of at least 1")


OnNonFinite = Annotated[int | Literal["stop"], PlainValidator(_on_nonfinite)]


def _address(value: object) -> object:
    host, _, port = value.partition(":") if isinstance(value, str) else ("", "", "")
    if host and port.isdecimal() and FIRST_PORT <= int(port) <= LAST_PORT:
        return value
    raise PydanticCustomError(
        "address", f"host:port with a port from {FIRST_PORT} to {LAST_PORT}, like 10.0.0.1:8118"
    )


Address = Annotated[str, PlainValidator(_address)]


class Section(BaseModel):
    """Base of all sections: frozen, strictly typed, no unknown keys."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")
