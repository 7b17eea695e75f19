from ssdcore.coco.annotations import CocoSplit
from ssdcore.data.conversion_report import notes, table_of_losses
from ssdcore.data.convert import Conversion, Skipped
from ssdcore.data.same_images import SameImage


def conversion(skipped, dropped=(), counts=None):
    split = CocoSplit((), (), {}, {}, counts or {}, tuple(dropped))
    return Conversion(split, 1, 0, tuple(skipped), {})


def test_examples_are_shortened_without_control_characters():
    table = table_of_losses(conversion([Skipped("\x1b[2J\n" + "ü" * 200, "file missing", 0, 1)]))
    (line,) = table.splitlines()[1:]
    assert r"\x1b[2J\nüü" in line
    assert line.endswith("ü…")
    assert len(line.split("0  ")[1]) == 60


def test_both_names_of_a_pair_are_whole_and_what_to_do_follows():
    own, other = "images/da3ee5ff-BloodImage_00038.jpg", "images/3961909f-BloodImage_00039.jpg"
    (line,) = notes(conversion([]), [], {}, [SameImage(own, "train", other, "looks the same")])
    assert line == (
        "  1 image also in another split, so AP is too high, such as da3ee5ff-BloodImage_00038.jpg "
        "(train: 3961909f-BloodImage_00039.jpg). Remove one of each, or keep them together with "
        "dataset.local.group"
    )
