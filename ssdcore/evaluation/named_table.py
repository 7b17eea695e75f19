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

    Attributes:
        name: in the CSV file.
        format: text as it is; an outcome is one of `outcomes.KINDS` or `missed`; a count is a
            whole number; a score has three decimals; a share shows as a percentage; a number has
            four significant digits.
        title: heading for people; empty is the name.
        listed: whether people see the column; the CSV file has all.
    """

    name: str
    format: Literal["text", "outcome", "count", "score", "share", "number"] = "score"
    title: str = ""
    listed: bool = True

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
    """How to draw a table.

    Attributes:
        kind: lines over x; bars in the order of the rows; a ranking is horizontal bars, the
            highest first; a heatmap counts the rows by x and y and shows shares of each y.
        x: column across; of bars and of a ranking the one with their names.
        y: columns of the vertical axis, each a line or a bar.
        by: column that splits the rows into lines; empty for one line per column of `y`.
        main: value of `by` whose line stands out.
        marks: values of x marked by a dotted line.
        order: all values of a heatmap's sides, in their order.
        smooth: also draw each line smoothed, for noisy values.
        steps: draw lines as steps.
        log_x: make the x axis logarithmic.
        diagonal: draw the line x = y, the ideal.
    """

    kind: Literal["lines", "bars", "ranking", "heatmap"]
    x: str
    y: tuple[str, ...]
    by: str = ""
    main: str = ""
    marks: tuple[float, ...] = ()
    order: tuple[str, ...] = ()
    smooth: bool = False
    steps: bool = False
    log_x: bool = False
    diagonal: bool = False


@dataclass(frozen=True)
class Table:
    """A figure of the evaluation.

    Attributes:
        name: of its CSV file; lower case, unique.
        section: heading in the report; tables of the same section are grouped.
        title: says what the table shows.
        columns: the first one names the row.
        rows: as many cells as columns.
        note: explains the table in sentences.
        chart: None for a table without one.
        listed: whether people see the rows; False where only the chart shows them.
        scalars: numbers for metrics/evaluate.json and MLflow, by names unique among all tables;
            None is undefined.
    """

    name: str
    section: str
    title: str
    columns: tuple[Column, ...]
    rows: Sequence[Row]
    note: str = ""
    chart: Chart | None = None
    listed: bool = True
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
