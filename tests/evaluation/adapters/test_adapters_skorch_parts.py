"""Schedulers, optimizers, precision, validation sets and iterators go on as in skorch's own fit."""

import functools
import pickle

import numpy as np
import pytest
from sklearn.model_selection import KFold, ShuffleSplit

torch = pytest.importorskip("torch")
skorch = pytest.importorskip("skorch")

from skorch import callbacks  # noqa: E402 - after the check that it is there
from skorch.callbacks import EarlyStopping, LRScheduler  # noqa: E402
from skorch.dataset import Dataset, ValidSplit  # noqa: E402
from skorch.helper import predefined_split  # noqa: E402

from skhpo.torch import TensorIterator  # noqa: E402 - as above
from tests.evaluation.adapters.skorch_helpers import LENGTHS, net, noop  # noqa: E402

rates = torch.optim.lr_scheduler


# --- schedulers -----------------------------------------------------------------------------------------


def warmed(optimizer, last_epoch=-1):
    first = rates.LinearLR(optimizer, 0.1, total_iters=3)
    return rates.SequentialLR(optimizer, [first, rates.ExponentialLR(optimizer, 0.8)], [3])


def chained(optimizer, last_epoch=-1):
    return rates.ChainedScheduler(
        [rates.ConstantLR(optimizer, 0.2, 5), warmed(optimizer), rates.StepLR(optimizer, 4)]
    )


def falling(epoch):
    return 0.9**epoch


@pytest.mark.parametrize(
    "scheduler",
    [
        lambda: LRScheduler(warmed),
        lambda: LRScheduler(warmed, step_every="batch"),
        lambda: LRScheduler(chained),
        lambda: LRScheduler("LambdaLR", lr_lambda=falling),
        lambda: LRScheduler(functools.partial(rates.MultiStepLR, milestones=[3, 8], gamma=0.3)),
    ],
    ids=["sequential", "each_batch", "chained", "lambda", "partial"],
)
@pytest.mark.filterwarnings("error:Seems like")
def test_schedulers_that_are_made_of_others(scheduler, exact):
    once, _, pickled = exact(net(callbacks=[("rate", scheduler())]))
    assert len({group["lr"] for group in once.optimizer_.param_groups} | {once.lr}) == 2
    assert (
        dict(pickled.callbacks_)["rate"].lr_scheduler_.optimizer.param_groups[0]["lr"]
        == (pickled.optimizer_.param_groups[0]["lr"])
    )


class TwoOptimizers(skorch.NeuralNetClassifier):
    def initialize_optimizer(self, *args, **kwargs):
        first, *others = self.module_.parameters()
        self.optimizer_ = torch.optim.SGD([first], lr=0.1, momentum=0.9)
        self.second_ = torch.optim.Adam(others, lr=0.01)
        return self


class Scheduling(callbacks.Callback):
    """Of the second optimizer, as a user would do it."""

    def on_train_begin(self, net, **kwargs):
        self.rate_ = rates.ExponentialLR(net.second_, 0.8)

    def on_train_continue(self, net, **kwargs):
        assert self.rate_.optimizer is net.second_

    def on_epoch_end(self, net, **kwargs):
        self.rate_.step()


def test_each_optimizer_has_its_scheduler(exact):
    both = [LRScheduler("ExponentialLR", gamma=0.9), Scheduling()]
    once, *_ = exact(net(TwoOptimizers, callbacks=both))
    assert once.second_.param_groups[0]["lr"] == pytest.approx(0.01 * 0.8 ** LENGTHS[-1])


def test_the_optimizer_is_pickled_once(trained, tensors):
    wide = {"module__hidden_units": 400, "optimizer": torch.optim.Adam, "lr": 0.001}
    plain, scheduled = (
        len(pickle.dumps(trained(net(callbacks=each, **wide), tensors, 2)))
        for each in ([], [LRScheduler("ExponentialLR", gamma=0.9)])
    )
    assert scheduled < 1.3 * plain


# --- what else a net may have ---------------------------------------------------------------------------


class Accumulating(skorch.NeuralNetClassifier):
    """One step for three batches, four batches an epoch: gradients are carried over its end."""

    def train_step(self, batch, **fit_params):
        self.n_steps_ = getattr(self, "n_steps_", 0) + 1
        step = self.train_step_single(batch, **fit_params)
        if self.n_steps_ % 3 == 0:
            self.optimizer_.step()
            self.optimizer_.zero_grad()
        return step


class Mixed(skorch.NeuralNetClassifier):
    """Mixed precision with a scaler of the gradients that the net holds."""

    def initialize(self):
        super().initialize()
        self.scaler_ = torch.amp.GradScaler("cpu", init_scale=64.0, growth_interval=7)
        return self

    def train_step(self, batch, **fit_params):
        self._set_training(True)
        Xi, yi = batch
        self.optimizer_.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            y_pred = self.infer(Xi, **fit_params)
            loss = self.get_loss(y_pred, yi, X=Xi, training=True)
        self.scaler_.scale(loss).backward()
        self.scaler_.step(self.optimizer_)
        self.scaler_.update()
        return {"loss": loss, "y_pred": y_pred}


def fixed_split(dataset, y=None):
    return torch.utils.data.Subset(dataset, range(100)), torch.utils.data.Subset(dataset, range(100, 150))


@pytest.mark.parametrize(
    "options",
    [
        {
            "optimizer": torch.optim.LBFGS,
            "optimizer__max_iter": 2,
            "callbacks": [EarlyStopping(load_best=True, sink=noop)],
        },
        {"optimizer": torch.optim.Adam, "optimizer__amsgrad": True, "lr": 0.01},
        {"optimizer": torch.optim.AdamW, "optimizer__fused": True, "lr": 0.01},
        {"train_split": ValidSplit(3, stratified=True)},
        {"train_split": fixed_split},
        {"iterator_train__generator": torch.Generator().manual_seed(3)},
        {"warm_start": True},
        {"iterator_train": TensorIterator, "iterator_valid": TensorIterator},
        {"kind": Accumulating},
        {"kind": Mixed},
        {"compile": True, "compile__backend": "eager"},
        {"criterion__label_smoothing": 0.1, "use_caching": False, "device": None},
    ],
    ids=lambda options: "-".join(
        f"{k}={getattr(v, '__name__', type(v).__name__)}" for k, v in options.items()
    ),
)
@pytest.mark.filterwarnings("ignore::skorch.exceptions.DeviceWarning")
def test_bit_for_bit(options, exact):
    exact(net(**options))


def test_predefined_validation_set(exact, tensors):
    X, y = tensors
    exact(net(train_split=predefined_split(Dataset(X[:40], y[:40]))))


@pytest.mark.parametrize(
    "cv", [0.2, ShuffleSplit(test_size=0.3), KFold(3, shuffle=True)], ids=["share", "shuffle", "folds"]
)
def test_a_validation_set_at_random_is_drawn_once(cv, exact):
    model = net(train_split=ValidSplit(cv), callbacks=[EarlyStopping(load_best=True, sink=noop)])
    exact(model, before=lambda: np.random.seed(0))  # noqa: NPY002 - from which skorch draws


def test_gradients_are_carried_over(trained, tensors):
    assert trained(net(Accumulating), tensors, 4).module_.sequential[0].weight.grad.abs().sum() > 0
