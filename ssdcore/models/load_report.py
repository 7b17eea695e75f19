"""What became of each weight when a network took over those of a file."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

SHOWN_NAMES = 4


class Transfer(NamedTuple):
    """The account of one such take-over; every name of either side stands in it once.

    Attributes:
        loaded: the network's parameter → the array in the file that it now holds.
        unused: array in the file → why it was not taken as it is.
        fresh: the network's parameters that keep their initial values.
    """

    loaded: dict[str, str]
    unused: dict[str, str]
    fresh: tuple[str, ...]

    def lines(self) -> Iterator[str]:
        """Yields the account for a log: the counts, then the names, grouped by reason."""
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
    """Lists a few names in full, and of many the first, the last and their count."""
    names = list(names)
    if len(names) <= SHOWN_NAMES:
        return ", ".join(names)
    return f"{names[0]} … {names[-1]} ({len(names)})"
