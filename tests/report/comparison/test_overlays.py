from ssdcore.report.comparison.candidate import Candidate, Curve
from ssdcore.report.comparison.overlays import COLOURS, OVERLAYS, overlay, style
from ssdcore.report.curves import MOST_POINTS


def test_each_curve_is_drawn_for_those_who_have_it(candidates):
    drawn = {key: overlay(candidates, key) for key in OVERLAYS}
    assert {key: [trace.name for trace in one.data] for key, one in drawn.items()} == {
        "loss": ["first", "second"],
        "val_AP": ["first"],
        "precision": ["first"],
        "f1": ["first"],
    }
    loss, val_ap = drawn["loss"].data, drawn["val_AP"].data
    assert [(list(trace.x), list(trace.y)) for trace in loss] == [
        ([1, 2, 3], [4, 3, 2]),
        ([1, 2], [5, 4]),
    ]
    assert (list(val_ap[0].x), list(val_ap[0].y)) == ([3], [0.5])
    assert "markers" in val_ap[0].mode  # a single measurement shows


def test_no_curve_no_chart(candidates):
    assert overlay([Candidate("bare")], "loss") is None


def test_a_candidate_looks_the_same_in_all_charts(candidates):
    late = [Candidate("bare"), *candidates]
    assert overlay(late, "loss").data[0].line.color == style(1)["color"]
    assert overlay(late, "f1").data[0].line.color == style(1)["color"]


def test_many_candidates_differ_in_colour_or_dash():
    styles = {tuple(style(place).values()) for place in range(4 * len(COLOURS))}
    assert len(styles) == 4 * len(COLOURS)


def test_names_mean_nothing_to_the_chart():
    hostile = Candidate("<a href='x'>link</a>", curves={"loss": Curve([1], [1])})
    assert overlay([hostile], "loss").data[0].name.startswith("&lt;a href='x'&gt;link")


def test_only_the_loss_is_smoothed_and_long_curves_are_thinned():
    steps = list(range(8000))
    zigzag = [float(step % 2) for step in steps]
    long = Candidate("long", curves={"loss": Curve(steps, zigzag), "f1": Curve(steps, zigzag)})
    loss, f1 = (overlay([long], key).data[0] for key in ("loss", "f1"))
    assert len(loss.x) == MOST_POINTS
    assert (loss.x[0], loss.x[-1]) == (0, 7999)
    assert all(0.4 < value < 0.6 for value in loss.y)
    assert set(f1.y) == {0, 1}
