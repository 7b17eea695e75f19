import pytest

from ssdcore.core.errors import InputError
from ssdcore.evaluation.named_table import Column, Table, parse_rows, to_csv

COLUMNS = (Column("name", "text"), Column("objects", "count"), Column("AP"))
ROWS = [('a, "b"\n\u202e', 3, 1 / 3), ("", 0, 0.5), ("undefined", None, None)]


def test_csv_gives_the_rows_back():
    text = to_csv(Table("classes", "Classes", "", COLUMNS, ROWS))
    assert text.startswith("name,objects,AP\n")
    assert parse_rows(text, COLUMNS, "classes.csv") == ROWS


def test_some_columns_can_be_read_in_any_order():
    text = "AP,more,name\n0.5,x,cat\n,,dog\n"
    assert parse_rows(text, COLUMNS[::2], "x.csv") == [("cat", 0.5), ("dog", None)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"^x\.csv:1: found '', expected a column name"),
        ("name,AP\ncat,1\n", "expected a column objects"),
        ("name,objects,AP\ncat,2,1\ndog,2.5,1\n", r"^x\.csv:3, objects: found '2.5'"),
        ("name,objects,AP\ncat,2,oops\n", r"^x\.csv:2, AP: found 'oops', expected a number"),
    ],
)
def test_another_file_is_refused(text, message):
    with pytest.raises(InputError, match=message):
        parse_rows(text, COLUMNS, "x.csv")
