import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssdcore.inference.candidates import (
    Candidates,
    best_first,
    best_of,
    find_candidates,
    read_keys,
    sort_keys,
)


def naive(probabilities, least):
    return [
        (row, label, probabilities[row, label])
        for row in range(len(probabilities))
        for label in range(1, probabilities.shape[1])
        if probabilities[row, label] >= np.float32(least)
    ]


def softmax_table(rng, rows, classes, dtype=np.float32):
    logits = rng.normal(0, 4, (rows, classes)).astype(dtype)
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True, dtype=dtype)


@given(st.integers(0, 2**32), st.sampled_from([0.01, 0.1, 0.5, 0.9]), st.sampled_from([2, 21, 81]))
def test_equals_a_loop_with_softmax_and_without(seed, least, classes):
    table = softmax_table(np.random.default_rng(seed), 40, classes)
    for softmax in (False, True):
        found = find_candidates(table, least, softmax=softmax)
        assert list(zip(*found, strict=True)) == naive(table, least)


def test_a_score_at_the_threshold_is_found_although_rounding_gave_the_background_too_much():
    least = np.float32(0.1)
    background = np.nextafter(np.float32(1) - least, np.float32(1))
    table = np.array([[background, least, 0]], np.float32)
    found = find_candidates(table, float(least), softmax=True)
    assert (found.rows.tolist(), found.labels.tolist()) == ([0], [1])


def test_independent_scores_need_not_add_up():
    """A sigmoid's background may be as sure as the class."""
    table = np.array([[0.99, 0.9, 0.0], [0.01, 0.0, 0.8]], np.float32)
    found = find_candidates(table, 0.5, softmax=False)
    assert (found.rows.tolist(), found.labels.tolist()) == ([0, 1], [1, 2])
    assert find_candidates(table, 0.5, softmax=True).rows.tolist() == [1]


def test_half_precision(rng):
    table = softmax_table(rng, 200, 21, np.float16)
    found = find_candidates(table, 0.05, softmax=True)
    assert found.scores.dtype == np.float32
    np.testing.assert_array_equal(found.scores, table[table[:, 1:].any(1)][:, 1:][
        table[:, 1:] >= np.float16(0.05)
    ])  # fmt: skip


def test_the_best_and_what_is_as_good_as_the_last_of_them():
    scores = np.array([0.5, 0.9, 0.5, 0.1, 0.7], np.float32)
    candidates = Candidates(np.arange(5), np.arange(1, 6), scores)
    assert best_of(candidates, 3).rows.tolist() == [0, 1, 2, 4]
    assert best_of(candidates, 2).rows.tolist() == [1, 4]
    assert best_of(candidates, 5) is candidates


@given(st.integers(0, 2**32))
def test_keys_sort_as_columns_do_and_can_be_read_back(seed):
    rng = np.random.default_rng(seed)
    groups = rng.integers(0, 2**18, 50) // rng.integers(1, 2**18)
    scores = (rng.integers(0, 9, 50) / 8).astype(np.float32) ** rng.integers(1, 30)
    rows = rng.integers(0, 2**14, 50)
    order = np.lexsort((rows, -scores, groups))
    read = read_keys(np.sort(sort_keys(groups, scores, rows)))
    for column, again in zip((groups, scores, rows), read, strict=True):
        np.testing.assert_array_equal(column[order], again)


@pytest.mark.parametrize("score", [0.0, np.float32(1e-45), 0.01, 1.0])
def test_scores_go_through_keys_unchanged(score):
    zero = np.zeros(1, np.intp)
    _, scores, _ = read_keys(sort_keys(zero, np.array([score], np.float32), zero))
    assert scores.tolist() == [np.float32(score)]


@given(st.integers(0, 2**32), st.lists(st.integers(0, 40), max_size=6))
def test_best_first_is_a_stable_sort_of_each_group(seed, counts):
    rng = np.random.default_rng(seed)
    scores = rng.choice(
        np.float32([0, 1e-30, 0.3, np.nextafter(np.float32(0.3), 1), 1]), sum(counts)
    )
    expected, start = [], 0
    for count in counts:
        own = range(start, start + count)
        expected += sorted(own, key=lambda place: -scores[place])
        start += count
    assert best_first(np.array(counts, np.intp), scores).tolist() == expected
