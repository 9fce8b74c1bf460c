"""Nested, stratified subsamples of training folds."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skhpo.evaluation._subsamples import NestedSubsamples


def subsamples(y, train=None, seed=0):
    train = np.arange(len(y)) if train is None else train
    return NestedSubsamples([(train, np.array([], dtype=int))], y, seed)


@given(
    st.lists(st.integers(0, 3), min_size=4, max_size=80),
    st.integers(0, 5),
    st.lists(st.integers(1, 50), min_size=2, max_size=5),
)
def test_a_larger_subsample_holds_the_smaller_ones(labels, seed, numerators):
    samples = subsamples(np.array(labels), seed=seed)
    previous = set()
    for numerator in sorted(numerators):
        indices = samples.at(0, numerator, 50)
        assert len(indices) == max(1, len(labels) * numerator // 50)
        assert (np.diff(indices) > 0).all()
        assert previous <= set(indices)
        previous = set(indices)
    assert set(samples.at(0, 50, 50)) == set(range(len(labels)))


@given(st.lists(st.sampled_from("abc"), min_size=6, max_size=90), st.integers(1, 30))
def test_classes_keep_their_proportions(labels, numerator):
    y = np.array(labels)
    indices = subsamples(y).at(0, numerator, 30)
    classes = np.unique(y)
    if len(indices) >= len(classes):
        assert set(y[indices]) == set(classes)
    for label in classes:
        share = (y == label).mean() * len(indices)
        # One sample more or less, and those that the first of each other class takes.
        assert abs((y[indices] == label).sum() - share) <= len(classes)


def test_other_seeds_give_other_subsamples_and_other_folds_too():
    y = np.arange(60) % 2
    assert set(subsamples(y, seed=0).at(0, 1, 3)) != set(subsamples(y, seed=1).at(0, 1, 3))
    twice = NestedSubsamples([(np.arange(60), None)] * 2, y, 0)
    assert set(twice.at(0, 1, 3)) != set(twice.at(1, 1, 3))
    np.testing.assert_array_equal(
        twice.at(1, 1, 3), NestedSubsamples([(np.arange(60), None)] * 2, y, 0).at(1, 1, 3)
    )


@pytest.mark.parametrize("y", [None, np.linspace(0.0, 1.0, 30), np.arange(60).reshape(30, 2) % 2])
def test_targets_without_classes_are_drawn_from_at_random(y):
    train = np.arange(0, 30, 2)
    indices = NestedSubsamples([(train, None)], y, 0).at(0, 1, 3)
    assert len(indices) == 5
    assert set(indices) <= set(train)


def test_masks_are_folds_too():
    mask = np.arange(20) < 10
    indices = NestedSubsamples([(mask, ~mask)], np.arange(20) % 2, 0).at(0, 1, 2)
    assert len(indices) == 5
    assert indices.max() < 10
