"""Which nets may be trained together, which of them are one model, and what only a trial shows."""

import warnings

import numpy as np
import pytest
import torch
from sklearn.metrics import make_scorer, roc_auc_score
from skorch import NeuralNetClassifier
from skorch.callbacks import EarlyStopping, EpochScoring, GradientNormClipping, LRScheduler
from skorch.dataset import Dataset, ValidSplit
from torch import nn
from torch.utils.data import DataLoader

from skhpo.torch._together import Member, group, train_together
from skhpo.torch._together_errors import CannotTogether
from skhpo.torch._together_rules import alike, reason_against
from skhpo.torch._together_stack import reasons

D = 4


class Net(nn.Module):
    def __init__(self, width=5, dropout=0.0, slope=None, between=None):
        super().__init__()
        activation = nn.ReLU() if slope is None else nn.LeakyReLU(slope)
        inner = [] if between is None else [between()]
        self.layers = nn.Sequential(
            nn.Linear(D, width), *inner, activation, nn.Dropout(dropout), nn.Linear(width, 3)
        )

    def forward(self, X):
        return self.layers(X)


class Norm(nn.BatchNorm1d):
    def __init__(self):
        super().__init__(5)


class Ghost(nn.Module):
    """Batch norm without running statistics, by hand: a row's output depends on the other rows."""

    def forward(self, X):
        return X - X.mean(0)


class Counting(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, X):
        if self.training:
            self.calls += 1
        return X


class Branching(nn.Module):
    def forward(self, X):
        return X if X.sum() > 0 else -X


class Sign(torch.autograd.Function):
    @staticmethod
    def forward(ctx, X):
        return X.sign()

    @staticmethod
    def backward(ctx, gradient):
        return gradient


class Custom(nn.Module):
    def forward(self, X):
        return Sign.apply(X)


class Loader(DataLoader):
    pass


class Rows(Dataset):
    pass


class Steps(NeuralNetClassifier):
    def train_step_single(self, batch, **fit_params):
        return super().train_step_single(batch, **fit_params)


class Told(NeuralNetClassifier):
    def on_epoch_end(self, net, **kwargs):
        pass


class Weighted(NeuralNetClassifier):
    """What it finds in one fold is another thing in the next."""

    def check_data(self, X, y):
        super().check_data(X, y)
        self.share_ = np.mean(y)


class Losses(NeuralNetClassifier):
    def get_loss(self, y_pred, y_true, *args, **kwargs):
        return super().get_loss(y_pred, y_true, *args, **kwargs).sum()


class Squared(NeuralNetClassifier):
    def get_loss(self, y_pred, y_true, *args, **kwargs):
        return super().get_loss(y_pred, y_true, *args, **kwargs) ** 2


class SquaredInTraining(NeuralNetClassifier):
    def get_loss(self, y_pred, y_true, X=None, training=False):
        loss = super().get_loss(y_pred, y_true, X=X, training=training)
        return loss**2 if training else loss


class Named(NeuralNetClassifier):
    """What says nothing of training is no reason."""

    def __init__(self, module, *args, lr=0.3, **kwargs):
        super().__init__(module, *args, lr=lr, **kwargs)

    def predict(self, X):
        return super().predict(X)

    def favourite(self):
        return 7


def net(cls=NeuralNetClassifier, **options):
    settings = {"criterion": nn.CrossEntropyLoss, "verbose": 0, "batch_size": 16, "max_epochs": 1}
    return cls(**{"module": Net, **settings, **options})


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    return rng.normal(size=(80, D)).astype(np.float32), rng.integers(0, 3, 80)


def member(data, start=0, epochs=1, **options):
    return Member(net(**options), *data, epochs, start)


ALLOWED = {
    "plain": {},
    "adam": {"optimizer": torch.optim.Adam, "optimizer__betas": (0.8, 0.9)},
    "no split": {"train_split": None},
    "fixed split": {"train_split": ValidSplit(0.2, random_state=0)},
    "named": {"cls": Named},
    "no callbacks": {"callbacks": "disable"},
    "score": {"callbacks": [EpochScoring("f1_macro")]},
    "scorer": {"callbacks": [("auc", EpochScoring(make_scorer(roc_auc_score)))]},
    "loader": {"iterator_train__shuffle": True, "iterator_train__num_workers": 2},
}

REFUSED = {
    "batch norm": ({"module__between": Norm}, "running statistics in Norm"),
    "running instance norm": (
        {"module__between": lambda: nn.InstanceNorm1d(5, track_running_stats=True)},
        "running statistics in InstanceNorm1d",
    ),
    "early stopping": ({"callbacks": [EarlyStopping()]}, "EarlyStopping"),
    "schedule": ({"callbacks": [("schedule", LRScheduler())]}, "schedule"),
    "clipping": ({"callbacks": [GradientNormClipping]}, "GradientNormClipping"),
    "score of training": ({"callbacks": [EpochScoring("accuracy", on_train=True)]}, "EpochScoring"),
    "user's score": ({"callbacks": [EpochScoring(lambda net, X, y: 0.0, name="zero")]}, "EpochScoring"),
    "uncached": ({"callbacks": [EpochScoring("f1", use_caching=False)]}, "EpochScoring"),
    "default named": ({"callbacks__valid_acc__on_train": True}, "callbacks set by name"),
    "split": ({"train_split": lambda dataset, y: (dataset, None)}, "train_split"),
    "split anew": ({"train_split": ValidSplit(0.2)}, "anew"),
    "dataset": ({"dataset": Rows}, "dataset"),
    "loader": ({"iterator_train": Loader}, "iterator_train"),
    "sampler": ({"iterator_train__sampler": None}, "iterator_train__sampler"),
    "collate": ({"iterator_valid__collate_fn": None}, "iterator_valid__collate_fn"),
    "steps": ({"cls": Steps}, "Steps overrides train_step_single"),
    "told": ({"cls": Told}, "Told overrides on_epoch_end"),
    "data": ({"cls": Weighted}, "Weighted overrides check_data"),
    "compile": ({"compile": True}, "compile"),
    "device": ({"device": None}, "device=None"),
    "optimizer": ({"optimizer": torch.optim.RMSprop}, "RMSprop"),
    "groups": ({"optimizer__param_groups": [("layers.0*", {"lr": 0.1})]}, "param_groups"),
    "fused": ({"optimizer": torch.optim.Adam, "optimizer__fused": True}, "fused"),
    "class weights": ({"criterion__weight": torch.ones(3)}, "weights of classes"),
    "sum": ({"criterion__reduction": "sum"}, "reduction='sum'"),
    "criterion": ({"criterion": nn.MultiMarginLoss}, "MultiMarginLoss"),
    "broken": ({"module__width": "wide"}, "cannot be made"),
}


@pytest.mark.parametrize("case", ALLOWED)
def test_nothing_is_against(case, data):
    options = ALLOWED[case]
    assert reason_against(net(**options)) is None
    (state,) = train_together([member(data, train_split=options.get("train_split"))])
    begun = member(data, start=tuple(state)).net
    assert reason_against(begun) is None


@pytest.mark.parametrize("case", REFUSED)
def test_reasons(case, data):
    options, reason = REFUSED[case]
    refused = net(**options)
    before = dict(vars(refused))
    assert reason in (reason_against(refused) or "")
    assert vars(refused) == before
    assert group([member(data), Member(refused, *data, 1, 0), member(data)]) == [[0, 2], [1]]
    with pytest.raises(CannotTogether):
        train_together([Member(refused, *data, 1, 0)])


def test_looking_at_nets_draws_nothing(data):
    before = torch.get_rng_state()
    group([member(data), member(data)])
    assert torch.equal(before, torch.get_rng_state())


def test_numbers_of_the_optimizer_rates_and_seeds_may_differ(data):
    members = [
        member(data),
        member(data, lr=0.7, start=3),
        member(data, optimizer__momentum=0.5),
        member(data, optimizer__weight_decay=1),
        member(data, module__dropout=0.5, optimizer__dampening=0.1, optimizer__momentum=0.1),
    ]
    assert group(members) == [[0, 1, 2, 3, 4]]


def test_all_else_keeps_nets_apart(data):
    X, y = data
    others = [
        member(data, module__width=6),
        member(data, module__slope=0.1),
        member(data, module__slope=0.2),
        member(data, optimizer=torch.optim.Adam),
        member(data, optimizer=torch.optim.AdamW),
        member(data, optimizer__momentum=0.9, optimizer__nesterov=True),
        member(data, batch_size=8),
        member(data, train_split=None),
        member(data, train_split=ValidSplit(3)),
        member(data, iterator_train__shuffle=True),
        member(data, criterion__label_smoothing=0.1),
        member(data, cls=Named),
        member(data, epochs=2),
        member((X[:40], y[:40])),
        member((X.astype(np.float64), y)),
        member((X, y.astype(np.int32))),
    ]
    assert group([member(data), *others]) == [[k] for k in range(len(others) + 1)]


def test_what_is_begun_and_what_goes_on_may_join(data):
    members = [member(data, epochs=2), member(data, epochs=2)]
    states = train_together(members)
    more = [Member(m.net, *data, 4, tuple(s)) for m, s in zip(members, states, strict=True)]
    assert group([*more, member(data, epochs=2), member(data, epochs=4)]) == [[0, 1, 2], [3]]


def test_what_callbacks_remember_keeps_no_nets_apart(data):
    members = [member(data, lr=lr, callbacks=[EpochScoring("f1_macro", name="f1")]) for lr in (0.1, 1e-6)]
    states = train_together(members)
    more = [Member(m.net, *data, 3, tuple(s)) for m, s in zip(members, states, strict=True)]
    assert group(more) == [[0, 1]]
    others = [member(data, callbacks=[EpochScoring(name)]) for name in ("f1_macro", "accuracy")]
    assert group(others) == [[0], [1]]


def test_what_the_device_does_is_no_reason():
    for message in ("CUDA error: an illegal memory access", "CUBLAS_STATUS_ALLOC_FAILED"):
        with pytest.raises(RuntimeError, match=message), reasons():
            raise RuntimeError(message)
    with pytest.raises(torch.cuda.OutOfMemoryError), reasons():
        raise torch.cuda.OutOfMemoryError("of memory")


def test_what_vmap_does_one_net_after_the_other_is_refused(data):
    class Counting(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = torch.nn.Linear(data[0].shape[1], 3)

        def forward(self, X):
            return self.layer(X) + torch.histc(X.detach(), 3)

    members = [member(data, start, module=Counting) for start in (0, 1)]
    before = warnings.showwarning, warnings._showwarnmsg_impl, list(warnings.filters)
    with pytest.raises(CannotTogether, match="histc"):
        train_together(members)
    assert (warnings.showwarning, warnings._showwarnmsg_impl, list(warnings.filters)) == before
    assert torch._C._functorch._is_vmap_fallback_enabled()


def test_data_that_are_no_arrays_are_apart(data):
    X, y = data
    lists = Member(net(), X.tolist(), y, 1, 0)
    objects = Member(net(), X.astype(object), y, 1, 0)
    short = Member(net(), X, y[:-1], 1, 0)
    assert group([member(data), lists, objects, short, member(data)]) == [[0, 4], [1], [2], [3]]
    for wrong, reason in [(lists, "X is neither"), (objects, "X is neither"), (short, "lengths")]:
        with pytest.raises(CannotTogether, match=reason):
            train_together([wrong])


@pytest.mark.parametrize(
    "options, reason",
    [
        ({"module__between": Ghost}, "not the mean of its rows"),
        ({"module__between": Counting}, "buffer"),
        ({"module__between": Branching}, "vmap"),
        ({"module__between": Custom}, "vmap"),
        ({"cls": Losses}, "a loss for each row"),
        ({"cls": Squared}, "not the mean of its rows"),
        ({"cls": SquaredInTraining, "module__dropout": 0.5}, "not the mean of its rows"),
        ({"module__between": lambda: nn.Linear(7, 7)}, "shapes"),
    ],
    ids=["rows", "buffer", "branch", "function", "sum", "square", "training", "broken"],
)
def test_what_a_trial_shows(options, reason, data):
    members = [member(data, lr=lr, **options) for lr in (0.1, 0.2)]
    with pytest.raises(CannotTogether, match=reason):
        train_together(members)
    assert not any(m.net.initialized_ for m in members)


def test_targets_that_the_criterion_ignores(data):
    X, y = data
    y = np.where(y == 2, -100, y)
    with pytest.raises(CannotTogether, match="ignore_index"):
        train_together([Member(net(train_split=None), X, y, 1, 0)])


def test_alike():
    assert alike({"a": [1, np.arange(3)]}, {"a": [1, np.arange(3)]})
    assert alike(ValidSplit(3), ValidSplit(3)) and not alike(ValidSplit(3), ValidSplit(4))
    assert not alike(1, 1.0) and not alike(np.arange(3), np.arange(3.0))
    assert alike(torch.ones(2), torch.ones(2)) and not alike(torch.ones(2), torch.zeros(2))
    assert not alike([1], [1, 2]) and not alike({"a": 1}, {"b": 1})
    assert alike(nn.functional.relu, nn.functional.relu) and not alike(torch.relu, torch.tanh)
