"""Nets trained together against the same nets trained alone by skorch."""

import pickle
from itertools import pairwise

import numpy as np
import pytest
import torch
from skorch import NeuralNet, NeuralNetBinaryClassifier, NeuralNetClassifier, NeuralNetRegressor
from skorch.callbacks import EpochScoring
from skorch.dataset import ValidSplit
from torch import nn
from torch.optim import SGD, Adam, AdamW

from skhpo.torch import TensorIterator
from skhpo.torch._together import Member, group, outputs_together, train_together
from skhpo.torch._together_errors import CannotTogether

N, D = 203, 6  # 203 rows are six batches of 32 and one of 11.


class Classifier(nn.Module):
    def __init__(self, width=8, dropout=0.0):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(D, width), nn.ReLU(), nn.Dropout(dropout), nn.Linear(width, 3), nn.Softmax(-1)
        )

    def forward(self, X):
        return self.layers(X)


class Regressor(nn.Module):
    def __init__(self, n_outputs=2):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(D, 5), nn.Tanh(), nn.LayerNorm(5), nn.Linear(5, n_outputs))

    def forward(self, X):
        return self.layers(X)


class Convolutional(nn.Module):
    def __init__(self, dropout=0.0):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, 4, 3),
            nn.ReLU(),
            nn.Dropout2d(dropout),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(36, 3),
        )

    def forward(self, X):
        return self.layers(X)


class Penalised(NeuralNetClassifier):
    def get_loss(self, y_pred, y_true, X=None, training=False):
        loss = super().get_loss(y_pred, y_true, X=X, training=training)
        return loss + 0.01 * sum(p.abs().sum() for p in self.module_.parameters()) if training else loss


class TwoOutputs(Regressor):
    def forward(self, X):
        hidden = self.layers[0](X)
        return self.layers[1:](hidden), hidden


class FirstOutput(NeuralNet):
    def get_loss(self, y_pred, y_true, X=None, training=False):
        return super().get_loss(y_pred[0], y_true, X=X, training=training)


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(N, D)).astype(np.float32)
    return X, (X[:, 0] > 0).astype(np.int64) + (X[:, 1] > 0.5)


def classifier(cls=NeuralNetClassifier, **options):
    settings = {"max_epochs": 1, "batch_size": 32, "verbose": 0, "iterator_train__shuffle": True}
    return cls(Classifier, **{**settings, **options})


def alone(net, X, y, epochs, start):
    """Train as skorch does, from a seed or from generators' state; returns the state afterwards."""
    with torch.random.fork_rng(devices=[]):
        if isinstance(start, int):
            torch.manual_seed(start)
            net.set_params(max_epochs=epochs).fit(X, y)
        else:
            torch.set_rng_state(torch.from_numpy(start[0].copy()))
            missing = epochs - net.max_epochs
            net.set_params(max_epochs=epochs).fit_loop(X, y, epochs=missing)
            net.notify("on_train_end", X=X, y=y)
        return torch.get_rng_state().numpy(), None


def alone_all(members):
    return [alone(m.net, *m.own(), m.epochs, m.start) for m in members]


def compare(nets, others, rtol=1e-4, atol=1e-5):
    """Weights, optimizers' state, histories."""
    for net, other in zip(nets, others, strict=True):
        for a, b in zip(net.module_.parameters(), other.module_.parameters(), strict=True):
            torch.testing.assert_close(a, b, rtol=rtol, atol=atol)
        a, b = net.optimizer_.state_dict(), other.optimizer_.state_dict()
        assert a["param_groups"] == b["param_groups"]
        torch.testing.assert_close(a["state"], b["state"], rtol=rtol, atol=atol)
        assert len(net.history) == len(other.history)
        for epoch, same in zip(net.history.to_list(), other.history.to_list(), strict=True):
            assert list(epoch) == list(same)
            assert [list(batch) for batch in epoch["batches"]] == [list(batch) for batch in same["batches"]]
            numbers = [
                [{k: v for k, v in row.items() if k not in ("dur", "batches")} for row in (e, *e["batches"])]
                for e in (epoch, same)
            ]
            for row, match in zip(*numbers, strict=True):
                assert row == pytest.approx(match, rel=1e-4, abs=1e-5)


OPTIMIZERS = {
    "sgd": [{"optimizer": SGD, "lr": lr} for lr in (0.1, 0.01, 0.5)],
    "momentum": [{"optimizer": SGD, "lr": 0.05, "optimizer__momentum": mu} for mu in (0.9, 0.0, 0.5)],
    "decay": [{"optimizer": SGD, "lr": 0.05, "optimizer__weight_decay": w} for w in (0.0, 0.1, 0.01)],
    "adam": [
        {"optimizer": Adam, "lr": lr, "optimizer__betas": (0.9, b)} for lr, b in [(0.01, 0.9), (0.02, 0.99)]
    ],
    "adamw": [{"optimizer": AdamW, "lr": 0.01, "optimizer__weight_decay": w} for w in (0.0, 0.1)],
}
SPLITS = {"none": None, "five": ValidSplit(5, stratified=True), "float": ValidSplit(0.3, random_state=0)}


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("split", SPLITS)
def test_together_is_as_alone(data, optimizer, split):
    def members():
        nets = [classifier(train_split=SPLITS[split], **options) for options in OPTIMIZERS[optimizer]]
        return [Member(net, *data, epochs=4, start=seed) for seed, net in enumerate(nets)]

    ours, theirs = members(), members()
    assert group(ours) == [list(range(len(ours)))]
    states, expected = train_together(ours), alone_all(theirs)
    compare([m.net for m in ours], [m.net for m in theirs])
    for state, other in zip(states, expected, strict=True):
        np.testing.assert_array_equal(state.cpu, other[0])
        assert state.device is None


@pytest.mark.parametrize("ways", ["TTT", "TAT", "ATA", "AAT"])
@pytest.mark.parametrize("optimizer", ["momentum", "adam"])
def test_stretches_in_any_mixture_are_one(data, ways, optimizer):
    nets = [classifier(**options) for options in OPTIMIZERS[optimizer]]
    whole = [classifier(**options) for options in OPTIMIZERS[optimizer]]
    states = list(range(len(nets)))
    for way, epochs in zip(ways, (1, 3, 6), strict=True):
        members = [Member(net, *data, epochs, start) for net, start in zip(nets, states, strict=True)]
        states = train_together(members) if way == "T" else alone_all(members)
        nets = pickle.loads(pickle.dumps(nets))
    expected = [alone(net, *data, 6, seed) for seed, net in enumerate(whole)]
    compare(nets, whole)
    for state, other in zip(states, expected, strict=True):
        np.testing.assert_array_equal(state[0], other[0])


@pytest.mark.parametrize("shares", [True, False])
@pytest.mark.parametrize("drop_last", [True, False])
@pytest.mark.parametrize("batch_size", [32, 25, -1])
def test_folds_of_uneven_length(data, shares, drop_last, batch_size):
    X, y = data
    # 128 rows are four batches of 32; 131 a fifth one, in which the first two take no step.
    folds = [np.arange(128), np.arange(50, 178), np.arange(3, 203)[:131], np.arange(0, 203)[::2][:100]]
    folds = folds[:3] if batch_size != -1 else folds

    def members():
        nets = [
            classifier(optimizer=Adam, lr=0.01, batch_size=batch_size, iterator_train__drop_last=drop_last)
            for _ in folds
        ]
        if shares:
            return [Member(net, X, y, 3, 7, rows) for net, rows in zip(nets, folds, strict=True)]
        return [Member(net, X[rows], y[rows], 3, 7) for net, rows in zip(nets, folds, strict=True)]

    for split in (None, ValidSplit(3, stratified=True)):
        ours, theirs = members(), members()
        for member in (*ours, *theirs):
            member.net.set_params(train_split=split)
        assert group(ours[:3]) == [[0, 1, 2]]
        states, expected = train_together(ours), alone_all(theirs)
        compare([m.net for m in ours], [m.net for m in theirs])
        for state, other in zip(states, expected, strict=True):
            np.testing.assert_array_equal(state.cpu, other[0])


def regression(rng, shape):
    X = rng.normal(size=(N, D)).astype(np.float32)
    return X, rng.normal(size=(N, *shape)).astype(np.float32)


@pytest.mark.parametrize("criterion", [nn.MSELoss, nn.L1Loss, nn.SmoothL1Loss, nn.HuberLoss])
def test_regression(criterion):
    X, y = regression(np.random.default_rng(1), (2,))
    nets, others = (
        [NeuralNetRegressor(Regressor, criterion=criterion, verbose=0, lr=lr) for lr in (0.1, 0.01)]
        for _ in "ab"
    )
    train_together([Member(net, X, y, 3, 0) for net in nets])
    alone_all([Member(net, X, y, 3, 0) for net in others])
    compare(nets, others)


def nets_of(kind):
    settings = {"verbose": 0, "batch_size": 32, "lr": 0.05}
    if kind == "binary":
        return NeuralNetBinaryClassifier(Regressor, module__n_outputs=1, **settings)
    if kind == "probabilities":
        return classifier(Penalised, criterion=nn.NLLLoss)
    if kind == "smoothed":
        return classifier(criterion=nn.CrossEntropyLoss, criterion__label_smoothing=0.1)
    if kind == "tensors":
        return classifier(iterator_train=TensorIterator, iterator_valid=TensorIterator)
    if kind == "scoring":
        return classifier(callbacks=[("auc", EpochScoring("roc_auc_ovr", lower_is_better=False))])
    if kind == "disabled":
        return classifier(callbacks="disable")
    return classifier(iterator_valid__batch_size=7, iterator_valid__shuffle=True)


@pytest.mark.filterwarnings("ignore:You set iterator_valid__shuffle=True")
@pytest.mark.parametrize(
    "kind", ["binary", "probabilities", "smoothed", "tensors", "scoring", "disabled", "valid"]
)
def test_kinds_of_nets(data, kind):
    X, y = data
    y = (y > 0).astype(np.float32) if kind == "binary" else y
    nets, others = ([nets_of(kind) for _ in range(3)] for _ in "ab")
    states = train_together([Member(net, X, y, 3, seed) for seed, net in enumerate(nets)])
    expected = alone_all([Member(net, X, y, 3, seed) for seed, net in enumerate(others)])
    compare(nets, others)
    for net, other in zip(nets, others, strict=True):
        np.testing.assert_array_equal(net.classes_, other.classes_)
        if kind == "valid":
            net.iterator_valid__shuffle = other.iterator_valid__shuffle = False
        np.testing.assert_allclose(net.predict_proba(X), other.predict_proba(X), rtol=1e-4, atol=1e-6)
    for state, other in zip(states, expected, strict=True):
        np.testing.assert_array_equal(state.cpu, other[0])


def test_several_outputs():
    X, y = regression(np.random.default_rng(1), (2,))
    nets, others = (
        [FirstOutput(TwoOutputs, criterion=nn.MSELoss, verbose=0, lr=lr) for lr in (0.1, 0.01)] for _ in "ab"
    )
    train_together([Member(net, X, y, 2, 0) for net in nets])
    alone_all([Member(net, X, y, 2, 0) for net in others])
    compare(nets, others)
    for net, outputs in zip(nets, outputs_together(nets, [X, X[:9]]), strict=True):
        expected = net.forward(X)
        assert isinstance(outputs, tuple)
        for a, b in zip(outputs, expected, strict=True):
            torch.testing.assert_close(a, b[: len(a)], rtol=1e-5, atol=1e-6)


def test_convolutions(data):
    images = np.random.default_rng(2).normal(size=(N, 1, 8, 8)).astype(np.float32)

    def nets():
        settings = {"criterion": nn.CrossEntropyLoss, "verbose": 0, "batch_size": 32, "optimizer": Adam}
        return [NeuralNetClassifier(Convolutional, lr=lr, **settings) for lr in (1e-2, 1e-3)]

    ours, theirs = nets(), nets()
    train_together([Member(net, images, data[1], 2, 0) for net in ours])
    alone_all([Member(net, images, data[1], 2, 0) for net in theirs])
    compare(ours, theirs)


def test_tensors_and_series_as_data(data):
    pandas = pytest.importorskip("pandas")
    X, y = data
    net, other = classifier(), classifier()
    train_together([Member(net, torch.from_numpy(X), pandas.Series(y), 2, 0)])
    alone(other, X, y, 2, 0)
    compare([net], [other])


def test_a_frozen_layer_stays(data):
    def net():
        module = Classifier()
        torch.nn.init.constant_(module.layers[0].weight, 0.1)
        module.layers[0].requires_grad_(False)
        return NeuralNetClassifier(module, verbose=0, optimizer=AdamW, optimizer__weight_decay=0.5, lr=0.01)

    torch.manual_seed(0)
    ours = [net() for _ in range(2)]
    theirs = pickle.loads(pickle.dumps(ours))
    train_together([Member(own, *data, 2, 0) for own in ours])
    alone_all([Member(own, *data, 2, 0) for own in theirs])
    compare(ours, theirs)
    assert bool((ours[0].module_.layers[0].weight == 0.1).all())


def test_a_net_that_diverges_does_not_touch_the_others(data):
    nets, others = ([classifier(lr=lr, criterion=nn.CrossEntropyLoss) for lr in (0.1, 1e30)] for _ in "ab")
    train_together([Member(net, *data, 3, 0) for net in nets])
    alone(others[0], *data, 3, 0)
    compare(nets[:1], others[:1])
    assert not np.isfinite(nets[1].history[-1, "train_loss"])


def test_outputs_of_rows_of_its_own_for_each_net(data):
    X, y = data
    nets = [classifier(lr=lr) for lr in (0.1, 0.2, 0.3)]
    train_together([Member(net, X, y, 2, 0) for net in nets])
    Xs = [X, X[:1], X[5:80]]
    for net, own, outputs in zip(nets, Xs, outputs_together(nets, Xs), strict=True):
        torch.testing.assert_close(outputs, net.forward(own), rtol=1e-5, atol=1e-6)


def test_outputs_of_some_rows(data):
    X, y = data
    nets = [classifier(lr=lr) for lr in (0.1, 0.2)]
    train_together([Member(net, X, y, 1, 0) for net in nets])
    rows = [np.arange(0, 203, 3), np.array([7, 5])]
    for net, own, outputs in zip(nets, rows, outputs_together(nets, [X, X], rows), strict=True):
        torch.testing.assert_close(outputs, net.forward(X[own]), rtol=1e-5, atol=1e-6)


class Tied(nn.Module):
    """An autoencoder whose decoder is the encoder's transpose."""

    def __init__(self):
        super().__init__()
        self.encoder = nn.Linear(D, D, bias=False)
        self.decoder = nn.Linear(D, D)
        self.decoder.weight = self.encoder.weight

    def forward(self, X):
        return self.decoder(torch.tanh(self.encoder(X)))


def test_tied_weights_and_double_precision():
    X = np.random.default_rng(4).normal(size=(N, D))

    def net(lr):
        torch.manual_seed(1)
        options = {"criterion": nn.MSELoss, "train_split": None, "verbose": 0, "batch_size": 32}
        return NeuralNet(Tied().double(), lr=lr, optimizer=Adam, **options)

    ours, theirs = ([net(lr) for lr in (0.1, 0.01)] for _ in "ab")
    members = [Member(own, X, X, 5, 0) for own in ours]
    assert group(members) == [[0, 1]]
    train_together(members)
    alone_all([Member(own, X, X, 5, 0) for own in theirs])
    # In double precision nothing is rounded to single on the way.
    compare(ours, theirs, rtol=1e-9, atol=1e-10)
    assert ours[0].module_.decoder.weight is ours[0].module_.encoder.weight


def test_arrays_that_joblib_hands_to_workers(data, tmp_path):
    X, y = data
    mapped = np.memmap(tmp_path / "X", dtype=X.dtype, shape=X.shape, mode="w+")
    mapped[:] = X
    read_only = np.memmap(tmp_path / "X", dtype=X.dtype, shape=X.shape, mode="r")
    nets, other = [classifier(), classifier()], classifier()
    members = [Member(net, read_only, y, 2, 0, np.arange(150)) for net in nets]
    assert group(members) == [[0, 1]]
    train_together(members)
    alone(other, X[:150], y[:150], 2, 0)
    compare(nets, [other, other])


def test_torch_generators_are_left_as_they_are(data):
    torch.manual_seed(3)
    before = torch.get_rng_state()
    members = [Member(classifier(module__dropout=0.5), *data, 2, seed) for seed in range(2)]
    assert group(members) == [[0, 1]]
    train_together(members)
    assert torch.equal(before, torch.get_rng_state())


def test_no_epochs_to_go(data):
    net = classifier()
    (state,) = train_together([Member(net, *data, 2, 0)])
    weights = [p.clone() for p in net.module_.parameters()]
    (again,) = train_together([Member(net, *data, 2, tuple(state))])
    np.testing.assert_array_equal(again.cpu, state.cpu)
    assert all(torch.equal(a, b) for a, b in zip(weights, net.module_.parameters(), strict=True))


def test_dropout_of_each_net_has_its_own_rate_and_can_be_repeated(data):
    rates = (0.0, 0.5, 1.0)

    def trained():
        nets = [classifier(module__dropout=p, optimizer=SGD, lr=0.1) for p in rates]
        states = train_together([Member(net, *data, 3, 5) for net in nets])
        return nets, states

    (nets, states), (again, _) = trained(), trained()
    compare(nets, again, rtol=0, atol=0)
    undropped = classifier(lr=0.1)
    expected = alone(undropped, *data, 3, 5)
    compare(nets[:1], [undropped])
    np.testing.assert_array_equal(states[0].cpu, expected[0])
    # Where everything is dropped the first layer learns nothing.
    first = [net.module_.layers[0].weight for net in nets]
    torch.manual_seed(5)
    assert torch.equal(first[2], Classifier().layers[0].weight)
    assert all(not torch.allclose(a, b) for a, b in pairwise(first))
    assert not np.array_equal(states[1].cpu, expected[0])


def failing(net, *_, **__):
    raise RuntimeError("in the second epoch")


def test_nets_are_as_they_were_where_something_is_raised(data, monkeypatch):
    begun, fresh = classifier(), classifier()
    (state,) = train_together([Member(begun, *data, 2, 0)])
    kept = pickle.loads(pickle.dumps(begun))
    monkeypatch.setattr("skhpo.torch._together_history.end_epoch", failing)
    members = [Member(begun, *data, 4, tuple(state)), Member(fresh, *data, 2, 0)]
    with pytest.raises(RuntimeError, match="in the second epoch"):
        train_together(members)
    assert not fresh.initialized_ and fresh.max_epochs == 1 and not hasattr(fresh, "module_")
    compare([begun], [kept], rtol=0, atol=0)
    assert begun.max_epochs == 2
    monkeypatch.undo()
    alone(begun, *data, 4, state)
    alone(kept, *data, 4, state)
    compare([begun], [kept], rtol=0, atol=0)


def test_lengths_must_agree(data):
    with pytest.raises(CannotTogether, match="different numbers of epochs"):
        train_together([Member(classifier(), *data, 2, 0), Member(classifier(), *data, 3, 0)])


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_together_is_as_alone_on_a_device(data, optimizer):
    def members():
        nets = [classifier(device="cuda", **options) for options in OPTIMIZERS[optimizer]]
        return [Member(net, *data, epochs=4, start=seed) for seed, net in enumerate(nets)]

    ours, theirs = members(), members()
    states = train_together(ours)
    for member in theirs:
        with torch.random.fork_rng(devices=[torch.cuda.current_device()]):
            torch.manual_seed(member.start)
            member.net.set_params(max_epochs=4).fit(*data)
            state = states[theirs.index(member)]
            np.testing.assert_array_equal(state.cpu, torch.get_rng_state().numpy())
            np.testing.assert_array_equal(state.device, torch.cuda.get_rng_state().numpy())
    compare([m.net for m in ours], [m.net for m in theirs], rtol=1e-3, atol=1e-4)
