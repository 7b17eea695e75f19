from ssdcore.coco.annotations import CocoSplit, FaultyBox
from ssdcore.data.conversion_report import notes, table_of_losses
from ssdcore.data.convert import Conversion, Skipped
from ssdcore.data.same_images import SameImage


def conversion(skipped, dropped=(), counts=None):
    split = CocoSplit((), (), {}, {}, counts or {}, tuple(dropped))
    return Conversion(split, 1, 0, tuple(skipped), {})


def test_reasons_are_counted_with_their_first_example():
    table = table_of_losses(
        conversion(
            [Skipped("b.jpg", "file missing", 3, 1), Skipped("a.jpg", "file missing", 4, 2),
             Skipped("c.jpg", "file empty", 0, 3), Skipped("", "entry without file name", 1, 9)],
            [FaultyBox("unknown image", "", 7, "x", 1, "[1]"),
             FaultyBox("malformed box", "d.jpg", 8, 2, 1, '"all"'),
             FaultyBox("malformed box", "e.jpg", 9, 2, 1, "[]")],
            {"malformed box": 1200, "unknown image": 1},
        )
    )  # fmt: skip
    assert table.splitlines() == [
        "  reason                   images  boxes  first example",
        "  entry without file name       1      1  image 9",
        "  file empty                    1      0  c.jpg",
        "  file missing                  2      7  b.jpg",
        '  malformed box                 -   1200  d.jpg: box 8, category 1, "all"',
        "  unknown image                 -      1  image x: box 7, category 1, [1]",
    ]


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
