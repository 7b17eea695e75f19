from pathlib import Path

import pytest

from ssdcore.core.errors import InputError
from ssdcore.report.content import History

HEADER = "step,epoch,loss,loss_box,loss_class,lr,loss_scale,images_per_second,val_AP,val_AP50\n"


def written(folder: Path, text: str) -> Path:
    path = folder / "history.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_history_is_read_column_by_column(tmp_path: Path) -> None:
    rows = "10,0.5,9,4,5,1e-3,1,20,,\n20,1,7,3,4,0.002,1,21,0.25,0.5\n30,1.5,6,2,4,0.001,1,22,-1,\n"
    assert History.read_csv(written(tmp_path, HEADER + rows)) == History(
        step=[10, 20, 30],
        epoch=[0.5, 1.0, 1.5],
        loss=[9.0, 7.0, 6.0],
        loss_box=[4.0, 3.0, 2.0],
        loss_class=[5.0, 4.0, 4.0],
        lr=[0.001, 0.002, 0.001],
        images_per_second=[20.0, 21.0, 22.0],
        val_ap=[None, 0.25, None],
        val_ap50=[None, 0.5, None],
    )


def test_history_without_a_step_is_empty(tmp_path: Path) -> None:
    history = History.read_csv(written(tmp_path, HEADER))
    assert (history.step, history.loss, history.val_ap50) == ([], [], [])


@pytest.mark.parametrize(
    ("text", "place", "value"),
    [
        ("", ":1", "''"),
        ("step,loss\n", ":1", "step,loss"),
        (HEADER + "10,0.5,oops,4,5,1e-3,1,20,,\n", ":2, loss", "oops"),
        (HEADER + "10,0.5,9,4,5,1e-3,1,20,,\n20,1,7,3,4,,1,21,,\n", ":3, lr", "''"),
        (HEADER + "10,0.5,9\n", ":2", "3"),
    ],
)
def test_another_file_is_refused_with_its_place(
    tmp_path: Path, text: str, place: str, value: str
) -> None:
    with pytest.raises(InputError) as refusal:
        History.read_csv(written(tmp_path, text))
    assert str(refusal.value).startswith(f"{tmp_path / 'history.csv'}{place}: found ")
    assert value in str(refusal.value)
