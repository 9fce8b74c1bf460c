"""Rows of nets that are trained together, against the batches of torch's loader."""

import numpy as np
import pytest
import torch
from skorch import NeuralNetClassifier
from skorch.dataset import Dataset
from torch import nn
from torch.utils.data import DataLoader

from skhpo.torch._together_errors import CannotTogether
from skhpo.torch._together_rows import Batches, Order, Pool

CPU = torch.device("cpu")


def order(n, **options):
    return Order.of(NeuralNetClassifier(nn.Linear, **options), n, training=True)


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("drop_last", [True, False])
@pytest.mark.parametrize("n, size", [(10, 3), (9, 3), (2, 3), (10, 1)])
def test_batches_and_draws_are_the_loaders(shuffle, drop_last, n, size):
    own = order(n, batch_size=size, iterator_train__shuffle=shuffle, iterator_train__drop_last=drop_last)
    loader = DataLoader(torch.arange(n), batch_size=size, shuffle=shuffle, drop_last=drop_last)
    generator = torch.Generator().manual_seed(5)
    assert own.n_batches == len(loader)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        for _ in range(3):
            expected = [batch.tolist() for batch in loader]
            drawn = own.draw(generator)
            positions = torch.arange(n) if drawn is None else drawn
            assert [part.tolist() for part in positions[: own.n_seen].split(size)][
                : len(expected)
            ] == expected
            assert torch.equal(generator.get_state(), torch.get_rng_state())


def test_a_batch_of_all_rows():
    assert order(7, batch_size=-1) == Order(7, 7, False, False)
    assert order(7, batch_size=2, iterator_train__batch_size=3).size == 3


def test_padding_is_of_the_same_batch_and_counts_nothing():
    rows = [torch.arange(100, 105), torch.arange(200, 207), torch.arange(300, 304)]
    batches = Batches(rows, [Order(len(own), 2, False, False) for own in rows], CPU)
    index = batches.index([torch.Generator()] * 3)
    assert index.shape == (4, 3, 2)
    assert index[:, 0].tolist() == [[100, 101], [102, 103], [104, 104], [104, 104]]
    assert index[:, 1].tolist() == [[200, 201], [202, 203], [204, 205], [206, 206]]
    assert batches.counts.T.tolist() == [[2, 2, 1, 0], [2, 2, 2, 1], [2, 2, 0, 0]]
    assert batches.takes.T.tolist() == [[True, True, True, False], [True] * 4, [True, True, False, False]]
    assert batches.ragged == {2, 3}
    losses = torch.arange(24.0).reshape(4, 3, 2)
    losses[3, 0] = torch.nan
    # The row 104 counts once; where there are no rows, nothing is made of what padding gave.
    assert batches.means(losses)[:, 0].tolist() == [0.5, 6.5, 12.0, 0.0]
    torch.testing.assert_close(batches.weights(torch.float64)[2, 0], torch.tensor([1.0, 0.0]).double())


def test_memory_that_is_shared_is_there_once():
    X, y = np.arange(12.0).reshape(6, 2), np.arange(6)
    pool = Pool(CPU)
    assert [
        pool.add(X, y),
        pool.add(X, y),
        pool.add(X[:], y[:]),
        pool.add(X.copy(), y),
        pool.add(X[2:], y[2:]),
    ] == [
        0,
        0,
        0,
        6,
        12,
    ]
    pool.seal()
    assert pool.X.shape == (16, 2)
    assert pool.batch(torch.tensor([[7, 12]]))[1].tolist() == [[1, 2]]


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "i1", "i2", "i4", "i8", "?", "u1"])
@pytest.mark.parametrize("shape", [(4,), (4, 2)])
def test_types_and_shapes_are_the_loaders(dtype, shape):
    X, y = np.ones((4, 3), dtype), np.ones(shape, dtype)
    for targets in (y, None):
        pool = Pool(CPU)
        pool.add(X, targets)
        pool.seal()
        (batch,) = DataLoader(Dataset(X, targets), batch_size=4)
        for ours, theirs in zip(pool.batch(torch.arange(4)), batch, strict=True):
            assert ours.dtype == theirs.dtype and torch.equal(ours, theirs)


def test_data_of_different_shapes_do_not_mix():
    pool = Pool(CPU)
    pool.add(np.ones((3, 2)), None)
    pool.add(np.ones((3, 4)), None)
    with pytest.raises(CannotTogether, match="different shapes"):
        pool.seal()
