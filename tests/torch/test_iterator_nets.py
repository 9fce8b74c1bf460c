"""Nets that take their batches from tensors are, bit for bit, the nets that torch's DataLoader trains."""

import copy
import pickle
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from skorch import NeuralNet, NeuralNetClassifier, NeuralNetRegressor
from skorch.dataset import Dataset, ValidSplit
from torch import nn
from torch.utils.data import DataLoader

from skhpo.torch import TensorIterator, use_tensors


def array(n, shape=(), seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, *shape)).astype("f4")


class Mlp(nn.Module):
    """Dropout draws from the global generator between batches; the first layer writes into its input."""

    def __init__(self, n_out=2, squeeze=False):
        super().__init__()
        self.layers = nn.Sequential(
            nn.ReLU(inplace=True), nn.Linear(5, 8), nn.ReLU(), nn.Dropout(0.3), nn.Linear(8, n_out)
        )
        self.squeeze = squeeze

    def forward(self, X):
        out = self.layers(X)
        return out.squeeze(-1) if self.squeeze else out


class WithDict(Mlp):
    def forward(self, a, b):
        return super().forward(torch.cat([a, b[:, None]], dim=1))


def classifier(module=Mlp, **options):
    net = {"criterion": nn.CrossEntropyLoss, "lr": 0.1, "max_epochs": 4, "batch_size": 16, "verbose": 0}
    return NeuralNetClassifier(module, **{**net, **options})


def regressor(**options):
    net = {"module__n_out": 1, "lr": 0.01, "max_epochs": 4, "batch_size": 16, "verbose": 0}
    return NeuralNetRegressor(Mlp, **{**net, **options})


XN = array(70, (5,))
CLASSES = (XN.sum(axis=1) > 0).astype(np.int64)
INPUTS = {"a": XN[:, :4].copy(), "b": XN[:, 4].copy()}
FITS = {
    "classifier": (classifier, {"iterator_train__shuffle": True}, XN, CLASSES),
    "not shuffled": (classifier, {}, XN, CLASSES),
    "no validation": (classifier, {"iterator_train__shuffle": True, "train_split": None}, XN, CLASSES),
    "drop_last": (
        classifier,
        {"iterator_train__shuffle": True, "iterator_train__drop_last": True, "iterator_valid__batch_size": 7},
        XN,
        CLASSES,
    ),
    "whole": (classifier, {"batch_size": -1, "iterator_train__shuffle": True}, XN, CLASSES),
    "more than whole": (classifier, {"batch_size": 1000, "iterator_train__shuffle": True}, XN, CLASSES),
    "split at random": (
        classifier,
        {"train_split": ValidSplit(0.25, stratified=True, random_state=1), "iterator_train__shuffle": True},
        XN,
        CLASSES,
    ),
    "dict": (lambda **more: classifier(WithDict, **more), {"iterator_train__shuffle": True}, INPUTS, CLASSES),
    "series": (classifier, {"iterator_train__shuffle": True}, XN, pd.Series(CLASSES)),
    "regressor": (regressor, {"iterator_train__shuffle": True}, XN, XN[:, :1] ** 2),
    "tensors": (
        lambda **more: regressor(module__squeeze=True, **more),
        {"iterator_train__shuffle": True},
        torch.from_numpy(XN),
        torch.from_numpy(XN[:, 0] ** 2),
    ),
}


def fitted(build, options, X, y, iterator):
    torch.manual_seed(3)
    X = {key: value.copy() for key, value in X.items()} if isinstance(X, dict) else copy.copy(X)
    net = build(**options, iterator_train=iterator, iterator_valid=iterator).fit(X, y)
    predicted = net.predict(X)
    net.partial_fit(X, y)
    return net, predicted, torch.get_rng_state()


@pytest.mark.parametrize("name", FITS)
def test_nets_are_trained_to_the_bit_as_with_the_loader(name, monkeypatch):
    used = []
    batches = TensorIterator._batches
    monkeypatch.setattr(TensorIterator, "_batches", lambda self: used.append(self) or batches(self))
    ours, our_predictions, our_state = fitted(*FITS[name], TensorIterator)
    theirs, their_predictions, their_state = fitted(*FITS[name], DataLoader)
    assert used
    np.testing.assert_array_equal(our_predictions, their_predictions)
    assert torch.equal(our_state, their_state)
    for key, weight in theirs.module_.state_dict().items():
        assert torch.equal(ours.module_.state_dict()[key], weight), key
    assert without_times(ours) == without_times(theirs)
    assert len(ours.history) == 8


def without_times(net):
    return [{key: value for key, value in epoch.items() if key != "dur"} for epoch in net.history]


class Other(DataLoader):
    pass


class TestUseTensors:
    def test_replaces_the_loader(self):
        net = classifier(iterator_train__shuffle=True, iterator_train__num_workers=0)
        use_tensors(net, "cpu")
        assert net.iterator_train is net.iterator_valid is TensorIterator
        params = net.get_params()
        assert params["iterator_train__device"] == params["iterator_valid__device"] == "cpu"
        assert params["iterator_train__shuffle"] is True
        assert net.get_iterator(Dataset(XN, CLASSES), training=True).device == "cpu"
        assert clone(net).fit(XN, CLASSES).iterator_train__device == "cpu"

    @pytest.mark.parametrize("copied", [copy.copy, clone, lambda net: pickle.loads(pickle.dumps(net))])
    def test_sets_the_device_again_that_it_set(self, copied):
        net = classifier()
        use_tensors(net, torch.device("cuda:0"))
        assert net.iterator_valid__device == "cuda:0"
        net = copied(net)
        use_tensors(net, "cuda:1")
        assert net.iterator_valid__device == net.iterator_train__device == "cuda:1"
        use_tensors(net, None)
        assert net.iterator_valid__device is None
        use_tensors(net, "cpu")
        assert net.iterator_valid__device == "cpu"

    def test_leaves_what_the_user_chose(self):
        net = classifier(iterator_train=Other, iterator_valid=TensorIterator, iterator_valid__device="cuda:3")
        use_tensors(net, "cpu")
        assert net.iterator_train is Other and not hasattr(net, "iterator_train__device")
        assert net.iterator_valid__device == "cuda:3"

    def test_sets_the_device_of_a_tensor_iterator_without_one(self):
        net = classifier(iterator_train=TensorIterator, iterator_train__shuffle=True)
        use_tensors(net, "cuda:1")
        assert net.iterator_train__device == "cuda:1"

    def test_leaves_an_initialised_net_as_it_is(self):
        net = classifier().fit(XN, CLASSES)
        before = (net.module_, net.optimizer_, net.history, copy.deepcopy(net.module_.state_dict()))
        use_tensors(net, "cpu")
        assert (net.module_, net.optimizer_, net.history) == before[:3]
        assert all(torch.equal(net.module_.state_dict()[key], weight) for key, weight in before[3].items())
        net.partial_fit(XN, CLASSES)
        assert len(net.history) == 8

    def test_needs_no_more_of_a_net_than_its_parameters(self):
        net = SimpleNamespace(iterator_train=DataLoader, iterator_valid=print)
        use_tensors(net, None)
        assert vars(net) == {
            "iterator_train": TensorIterator,
            "iterator_train__device": None,
            "iterator_valid": print,
        }

    def test_is_validated_by_skorch(self):
        net = NeuralNet(Mlp, nn.MSELoss)
        use_tensors(net, "cpu")
        assert net.initialize().initialized_
