"""Flattens nested parameters to dotted keys, and leaves out those that are not in use."""

from collections.abc import Iterator, Mapping
from typing import Any


def leaves(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yields (dotted key, value) of every leaf, in order; an empty mapping is a leaf."""
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def in_use(params: Mapping[str, Any]) -> dict[str, Any]:
    """Returns nested parameters without those of data sets other than `dataset.name`."""
    dataset = params.get("dataset")
    if not isinstance(dataset, Mapping):
        return dict(params)
    name = dataset.get("name")
    kept = {k: v for k, v in dataset.items() if k == name or not isinstance(v, Mapping)}
    return {**params, "dataset": kept}
