import pytest

from ssdcore.sources.coco_writer import Box, ImageEntry
from ssdcore.sources.pairing import gathered

BOX = Box("cat", (1, 2, 3, 4))
LISTED = ImageEntry("a.jpg", 60, 60, (BOX,))
OF_ITS_FILE = ImageEntry("a.jpg", 60, 60, (), turn_upright=True)


@pytest.mark.parametrize("entries", [[LISTED, OF_ITS_FILE], [OF_ITS_FILE, LISTED]])
def test_a_listed_size_counts_whatever_the_order_of_an_images_entries(entries):
    found = gathered("set", ["a.jpg"], entries, [], {})
    assert found.entries == [LISTED]
    assert found.notes == ("1 image is listed once more: the boxes of all entries count",)


def test_all_boxes_of_an_image_are_kept_and_single_entries_have_no_note():
    other = ImageEntry("a.jpg", 60, 60, (Box("dog", (5, 6, 7, 8)),))
    (entry,) = gathered("set", ["a.jpg"], [LISTED, other], [], {}).entries
    assert [box.name for box in entry.boxes] == ["cat", "dog"]
    assert gathered("set", ["a.jpg"], [LISTED], [], {}).notes == ()
