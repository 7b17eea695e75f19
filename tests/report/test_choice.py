from ssdcore.report.choice import choose


def test_images_with_several_objects_come_first_and_those_without_last() -> None:
    objects = [0, 1, 30, 8, 0, 2, 12, 5]
    assert set(choose(objects, 3)) == {3, 5, 7}
    assert choose(objects, 9)[3:6] == [1, 6, 2]
    assert set(choose(objects, 9)[6:]) == {0, 4}
    assert choose([], 4) == []


def test_the_choice_is_spread_over_the_data_set_and_repeats() -> None:
    """The first images of a file may be neighbours in a film."""
    chosen = choose([3] * 1000, 4)
    assert chosen == choose([3] * 1000, 4)
    assert len(set(chosen)) == 4
    assert max(chosen) - min(chosen) > 100
