"""The profiler's rows by group; a convolution after the network's own is a gradient."""

from benchmarks import operators


def row(kind, number, took):
    return {"op_type": kind, "op_name": f"{kind}-op{number}", "op_total_time(ms)": str(took)}


def test_groups_by_hand():
    rows = [
        row("Conv2D", 35, 4.0), row("Conv2D", 9, 1.0), row("Conv2D", 20, 2.0),
        row("Conv2DBackpropInput", 0, 8.0), row("Conv2DBackpropFilter", 0, 16.0),
        row("MaxPoolWithArgmax", 0, 32.0), row("Sort", 0, 64.0), row("Adam", 3, 0.5),
    ]  # fmt: skip
    assert operators.by_group(rows, convolutions=2) == [
        (operators.REST, 64.0), ("pooling", 32.0), ("convolution, weight gradient", 16.0),
        (operators.INPUT_GRADIENT, 12.0), (operators.FORWARD, 3.0), ("optimiser's update", 0.5),
    ]  # fmt: skip


def test_shares_are_of_the_step():
    figures = {"batch": 4, "step_ms": 40.0, "operators_ms": {"pooling": 10.0, "batch norm": 20.0}}
    lines = operators.as_table({"settings": {"demo": figures}}).splitlines()
    assert lines[2:] == [
        "| demo | 4 | pooling | 10.0 | 25.0% |", "| demo | 4 | batch norm | 20.0 | 50.0% |",
        "| demo | 4 | outside of operators | 10.0 | 25.0% |", "| demo | 4 | step | 40.0 | 100.0% |",
    ]  # fmt: skip
