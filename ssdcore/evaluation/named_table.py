"""The form of every figure of the evaluation: a named table, with its chart and its metrics.

Metrics, CSV files, MLflow, the report and the comparison of revisions go over a list of such
tables and depend on none of them by name: a new figure is one function that returns a table.
"""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from ssdcore.core.errors import InputError

Cell = str | int | float | None
"""An undefined figure is None."""
Row = tuple[Cell, ...]


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Text is shown as it is; an outcome is one of `outcomes.KINDS` or `missed`; a count is a whole
    number; a score has three decimals; a share shows as a percentage; a number has four significant
    digits.
    """

    name: str  # in the CSV file
    format: Literal["text", "outcome", "count", "score", "share", "number"] = "score"
    title: str = ""  # heading for people; empty is the name
    listed: bool = True  # whether people see the column; the CSV file has all

    @property
    def heading(self) -> str:
        """The title, or the name where there is none."""
        return self.title or self.name

    def parse(self, text: str) -> Cell:
        """Returns a cell of a CSV file as a value, None for an empty number.

        Raises:
            ValueError: it is not a number.
        """
        if self.format in ("text", "outcome"):
            return text
        if not text:
            return None
        return int(text) if self.format == "count" else float(text)


@dataclass(frozen=True)
class Chart:
    """The chart of a table.

    Lines are over x, bars in the order of the rows. A ranking is horizontal bars, the highest
    first. A heatmap counts the rows by x and y and shows shares of each y.
    """

    kind: Literal["lines", "bars", "ranking", "heatmap"]
    x: str  # column across; of bars and of a ranking the one with their names
    y: tuple[str, ...]  # columns of the vertical axis, each a line or a bar
    by: str = ""  # column that splits the rows into lines; empty for one line per column of `y`
    main: str = ""  # value of `by` whose line stands out
    marks: tuple[float, ...] = ()  # values of x marked by a dotted line
    order: tuple[str, ...] = ()  # all values of a heatmap's sides, in their order
    smooth: bool = False  # also draw each line smoothed, for noisy values
    steps: bool = False  # draw lines as steps
    log_x: bool = False  # make the x axis logarithmic
    diagonal: bool = False  # draw the line x = y, the ideal


@dataclass(frozen=True)
class Table:
    """A figure of the evaluation.

    Its scalars are for metrics/evaluate.json and MLflow, by names unique among all tables; None is
    undefined.
    """

    name: str  # of its CSV file; lower case, unique
    section: str  # heading in the report; tables of the same section are grouped
    title: str  # what the table shows
    columns: tuple[Column, ...]  # the first one names the row
    rows: Sequence[Row]  # as many cells as columns
    note: str = ""  # explains the table in sentences
    chart: Chart | None = None
    listed: bool = True  # whether people see the rows; False where only the chart shows them
    scalars: Mapping[str, float | None] = field(default_factory=dict)

    def records(self) -> list[dict[str, Any]]:
        """Returns each row as a dictionary by column name."""
        names = [column.name for column in self.columns]
        return [dict(zip(names, row, strict=True)) for row in self.rows]

    def values(self, column: str) -> list[Any]:
        """Returns the cells of one column."""
        index = [one.name for one in self.columns].index(column)
        return [row[index] for row in self.rows]

    def find(self, name: str) -> Column:
        """Returns the column of this name."""
        return next(column for column in self.columns if column.name == name)


def to_csv(table: Table) -> str:
    """Returns the table as CSV with a header; None is an empty cell."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([column.name for column in table.columns])
    writer.writerows(table.rows)
    return text.getvalue()


def parse_rows(text: str, columns: Sequence[Column], where: str) -> list[Row]:
    """Reads columns of the CSV file `where`, in the order of the columns; others are ignored.

    Raises:
        InputError: a column is missing, or a cell is not a number.
    """
    reader = csv.DictReader(io.StringIO(text, newline=""), restval="")
    header = reader.fieldnames or []
    for column in columns:
        if column.name not in header:
            remedy = "Run the stage that writes it again"
            raise InputError(f"{where}:1", ",".join(header), f"a column {column.name}", remedy)
    rows = []
    for record in reader:
        cells = []
        for column in columns:
            try:
                cells.append(column.parse(record[column.name]))
            except ValueError:
                at = f"{where}:{reader.line_num}, {column.name}"
                raise InputError(at, record[column.name], "a number") from None
        rows.append(tuple(cells))
    return rows
