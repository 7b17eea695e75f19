import pytest

from ssdcore.report.tables import training_tables
from ssdcore.training.history import COLUMNS, write_history

ROWS = [
    {"step": 1, "epoch": 1, "loss": 12.25, "loss_box": 4.0, "loss_class": 8.25, "lr": 1e-4,
     "loss_scale": 1.0, "gradient_norm": 5.5, "images_per_second": 30.5},
    {"step": 2, "epoch": 1, "loss": 1 / 3, "loss_box": 1e-9, "loss_class": 3e7, "lr": 2e-5,
     "loss_scale": 512.0, "gradient_norm": 0.25,
     "images_per_second": 31.0, "val_AP": 0.0, "val_AP50": 0.5},
    {"step": 123456, "epoch": 2, "loss": 0.5, "loss_box": 0.25, "loss_class": 0.25, "lr": 1e-6,
     "loss_scale": 1.0, "gradient_norm": 2.0,
     "images_per_second": 9.0, "val_AP": -1.0, "val_AP50": -1.0},
]  # fmt: skip


def test_the_report_reads_what_training_writes(tmp_path):
    path = tmp_path / "plots/history.csv"
    write_history(path, ROWS)
    tables = {table.name: table for table in training_tables(path.read_text())}
    assert tables["loss"].values("step") == [1, 2, 123456]
    for name, columns in {
        "loss": ("loss", "loss_box", "loss_class"), "learning_rate": ["lr"],
        "speed": ["images_per_second"],
    }.items():  # fmt: skip
        for column in columns:
            expected = [row[column] for row in ROWS]
            assert tables[name].values(column) == pytest.approx(expected, rel=1e-6)
    assert tables["validation"].rows == [(2, 1, 0.0, 0.5), (123456, 2, -1.0, -1.0)]


def test_a_row_checked_by_hand(tmp_path):
    path = tmp_path / "history.csv"
    write_history(path, [{**ROWS[1], "images": 5}])
    header, row = path.read_bytes().decode().removesuffix("\n").split("\n")
    assert header.split(",") == list(COLUMNS)
    assert row == "2,1,0.3333333,1e-09,3e+07,2e-05,512,0.25,31,0,0.5"


def test_rows_from_a_generator_and_a_failing_one_keeps_the_old_file(tmp_path):
    path = tmp_path / "history.csv"
    write_history(path, (row for row in ROWS[:1]))
    before = path.read_text()

    def failing():
        yield ROWS[0]
        raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError, match="out of memory"):
        write_history(path, failing())
    assert path.read_text() == before
