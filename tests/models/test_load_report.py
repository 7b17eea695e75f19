from ssdcore.models.load_report import LoadReport


def test_lines_give_counts_and_names_by_reason():
    transfer = LoadReport(
        loaded={f"backbone.{i}": f"features.{i}" for i in range(30)},
        unused={"head.a": "another class", "step": "foreign", "head.b": "another class"},
        fresh=("heads.0", "heads.1"),
    )
    assert list(transfer.lines()) == [
        "30 parameters loaded, 2 fresh; 3 arrays of the file unused",
        "loaded: backbone.0 … backbone.29 (30)",
        "fresh: heads.0, heads.1",
        "unused, another class: head.a, head.b",
        "unused, foreign: step",
    ]


def test_names_are_shortened_where_there_are_more_than_four():
    def fresh(count):
        names = tuple("abcdef"[:count])
        return list(LoadReport({}, {}, names).lines())[1:]

    assert fresh(4) == ["fresh: a, b, c, d"]
    assert fresh(5) == ["fresh: a … e (5)"]
    assert fresh(0) == []
