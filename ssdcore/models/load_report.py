"""A report on loading a network's weights from a file: loaded, unused and fresh."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

SHOWN_NAMES = 4


class LoadReport(NamedTuple):
    """The outcome for every parameter of the network and every array of the file, each once.

    Attributes:
        loaded: network parameter → the array of the file that it now holds.
        unused: array of the file → why it was not loaded as it is.
        fresh: network parameters that keep their initial values.
    """

    loaded: dict[str, str]
    unused: dict[str, str]
    fresh: tuple[str, ...]

    def lines(self) -> Iterator[str]:
        """Yields lines for a log: the counts, then the names, grouped by reason."""
        yield (
            f"{len(self.loaded)} parameters loaded, {len(self.fresh)} fresh; "
            f"{len(self.unused)} arrays of the file unused"
        )
        if self.loaded:
            yield f"loaded: {_shortened(self.loaded)}"
        if self.fresh:
            yield f"fresh: {_shortened(self.fresh)}"
        groups = defaultdict(list)
        for name, reason in self.unused.items():
            groups[reason].append(name)
        for reason, names in groups.items():
            yield f"unused, {reason}: {_shortened(names)}"


def _shortened(names: Iterable[str]) -> str:
    """Lists up to 4 names; of more, the first, the last and their count."""
    names = list(names)
    if len(names) <= SHOWN_NAMES:
        return ", ".join(names)
    return f"{names[0]} … {names[-1]} ({len(names)})"
