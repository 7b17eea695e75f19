from ssdcore.data.manifest import read_unused, write_unused


def test_the_names_of_unused_files_come_back_by_split_and_reason(tmp_path):
    unused = {"train": {"label file without an image": ("a.txt", "\udcff.txt")}, "val": {}}
    write_unused(tmp_path, unused)
    assert read_unused(tmp_path) == {
        "train": {"label file without an image": ["a.txt", "\udcff.txt"]}
    }


def test_no_list_is_written_where_all_is_used(tmp_path):
    write_unused(tmp_path, {"train": {"label file without an image": ()}, "val": {}})
    assert (list(tmp_path.iterdir()), read_unused(tmp_path)) == ([], {})
