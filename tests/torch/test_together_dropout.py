"""Dropout of nets that are trained together: the same in distribution as alone."""

import numpy as np
import pytest
import torch
from scipy.stats import binom
from skorch import NeuralNetClassifier
from torch import nn
from torch.func import functional_call, vmap

from skhpo.torch._together import Member, group, outputs_together, train_together
from skhpo.torch._together_errors import CannotTogether
from skhpo.torch._together_stack import StackedDropout

NO_CUDA = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")


class Net(nn.Module):
    def __init__(self, dropout):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Dropout(dropout), nn.Linear(32, 2))

    def forward(self, X):
        return self.layers(X)


def dropped(shape, rates, n_spatial):
    """Ones (K, *shape) after dropout, one rate for each of K."""
    module = StackedDropout(0.0, n_spatial)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        run = vmap(lambda p, X: functional_call(module, {"p": p}, (X,)), randomness="different")
        return run(torch.tensor(rates), torch.ones(len(rates), *shape))


def test_how_many_are_dropped():
    # Each count is binomial, and the seed is fixed: outside of this interval with probability 1e-6.
    rates, n = [0.0, 0.1, 0.5, 0.9, 1.0], 20_000
    out = dropped((200, 100), rates, None)
    for p, values in zip(rates, out, strict=True):
        low, high = binom.interval(1 - 1e-6, n, p)
        assert low <= int((values == 0).sum()) <= high
        kept = values[values != 0]
        torch.testing.assert_close(kept, torch.full_like(kept, 1 / (1 - p) if p < 1 else 0.0))
    assert not torch.equal(out[2] == 0, out[3] == 0)


@pytest.mark.parametrize("n_spatial", [1, 2, 3])
def test_channels_are_dropped_as_a_whole(n_spatial):
    out = dropped((50, 8, *[3] * n_spatial), [0.5, 0.2], n_spatial).flatten(3)
    assert bool((out == out[..., :1]).all())
    assert 0.4 < float((out[0] == 0).float().mean()) < 0.6
    with pytest.raises(CannotTogether, match="dimensions"):
        dropped((8, *[3] * n_spatial), [0.5], n_spatial)


def test_nothing_is_dropped_in_evaluation():
    X = torch.ones(4, 3)
    assert torch.equal(StackedDropout(0.5, None).eval()(X), X)


def scores(together, device):
    """Losses (2, 20), of validation and of training: of two rates of dropout and 20 seeds."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 10)).astype(np.float32)
    y = (X[:, 0] + X[:, 1] + 0.5 * rng.normal(size=400) > 0).astype(np.int64)
    settings = {
        "criterion": nn.CrossEntropyLoss,
        "optimizer": torch.optim.Adam,
        "lr": 0.01,
        "train_split": None,
        "batch_size": 32,
        "iterator_train__shuffle": True,
        "device": device,
        "verbose": 0,
    }
    members = [
        Member(
            NeuralNetClassifier(Net, module__dropout=p, **settings),
            X[:300],
            y[:300],
            epochs=8,
            start=seed,
        )
        for p in (0.2, 0.6)
        for seed in range(20)
    ]
    nets = [member.net for member in members]
    if together:
        assert len(group(members)) == 1
        train_together(members)
    else:
        for member in members:
            with torch.random.fork_rng():
                torch.manual_seed(member.start)
                member.net.set_params(max_epochs=8).fit(member.X, member.y)
    outputs = outputs_together(nets, [X[300:]] * len(nets))
    losses = [float(nn.functional.cross_entropy(out, torch.from_numpy(y[300:]))) for out in outputs]
    train = [net.history[-1, "train_loss"] for net in nets]
    return np.array(losses).reshape(2, 20), np.array(train).reshape(2, 20)


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=[pytest.mark.gpu, NO_CUDA])])
def test_scores_are_those_of_training_alone_within_noise(device):
    # Same seeds, so the same first weights and batches: differences are what dropout draws, with mean zero.
    # By chance beyond 3 standard errors in 0.7% of the cases (t with 19 degrees), for each of the four.
    ours, theirs = scores(True, device), scores(False, device)
    for one, other in zip(ours, theirs, strict=True):
        mean, error = mean_and_error(one - other)
        assert (error > 0).all()
        assert (np.abs(mean) < 3 * error).all()
    # The two rates are seen to differ, or equal means would say nothing.
    mean, error = mean_and_error(ours[1][1] - ours[1][0])
    assert mean > 10 * error


def mean_and_error(values):
    """Mean over seeds and its standard error."""
    return values.mean(axis=-1), values.std(axis=-1, ddof=1) / np.sqrt(values.shape[-1])
