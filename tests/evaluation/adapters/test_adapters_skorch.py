"""Nets of skorch go on bit for bit, with dropout, shuffled batches, schedulers and early stopping."""

import numpy as np
import pytest
from sklearn.compose import TransformedTargetRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from skhpo.evaluation.adapters import find_adapter
from skhpo.testing import check_adapter

torch = pytest.importorskip("torch")
skorch = pytest.importorskip("skorch")

from skorch import callbacks  # noqa: E402 - after the check that it is there
from skorch.dataset import ValidSplit  # noqa: E402


class Net(torch.nn.Module):
    def __init__(self, n_outputs=3):
        super().__init__()
        self.layers = torch.nn.Sequential(
            torch.nn.Linear(8, 6), torch.nn.ReLU(), torch.nn.Dropout(0.3), torch.nn.Linear(6, n_outputs)
        )

    def forward(self, X):
        return self.layers(X)


class Counting(callbacks.Callback):
    n_epochs = 0

    def on_epoch_end(self, net, **kwargs):
        type(self).n_epochs += 1


class Ending(callbacks.Callback):
    """Ends the training at an epoch, as callbacks of users may."""

    def on_epoch_end(self, net, **kwargs):
        if len(net.history) >= 5:
            raise KeyboardInterrupt


def net(**options):
    defaults = {"lr": 0.1, "verbose": 0, "batch_size": 32, "iterator_train__shuffle": True}
    return skorch.NeuralNetClassifier(Net, criterion=torch.nn.CrossEntropyLoss, **defaults | options)


def scheduler(policy, **options):
    return [("lr", callbacks.LRScheduler(policy, monitor="train_loss", **options))]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"optimizer": torch.optim.Adam, "lr": 0.01, "train_split": None},
        {"optimizer__momentum": 0.9, "optimizer__weight_decay": 1e-3, "warm_start": True},
        {"train_split": ValidSplit(0.2, random_state=0)},
        {"callbacks": scheduler("StepLR", step_size=3, gamma=0.5)},
        {"callbacks": scheduler("ExponentialLR", gamma=0.9)},
        {"callbacks": scheduler("CosineAnnealingLR", T_max=20)},
        {"callbacks": scheduler("ReduceLROnPlateau", patience=0, threshold=0.05)},
        {"callbacks": scheduler("CyclicLR", base_lr=0.01, max_lr=0.5, step_every="batch")},
        {"callbacks": scheduler(torch.optim.lr_scheduler.OneCycleLR, max_lr=0.5, total_steps=20)},
        {"callbacks": [callbacks.EpochScoring("accuracy", on_train=True, lower_is_better=False)]},
        {"callbacks": [callbacks.EarlyStopping(monitor="train_loss", patience=1, threshold=0.08)]},
        {"callbacks": [callbacks.Freezer("layers.0.*", at=5), callbacks.GradientNormClipping(1.0)]},
    ],
    ids=lambda options: "-".join(map(str, options)) + str(len(str(options))),
)
def test_bit_for_bit(options, tensors):
    model = net(**options)
    check_adapter(find_adapter(model), model, *tensors)


def test_history_is_that_of_one_fit(trained, tensors):
    torch.manual_seed(5)
    fresh = net(max_epochs=12, callbacks=scheduler("ExponentialLR", gamma=0.8)).fit(*tensors)
    continued = trained(net(callbacks=scheduler("ExponentialLR", gamma=0.8)), tensors, 4, 7, 12)
    for key in ("train_loss", "valid_loss", "valid_acc", "valid_acc_best", "event_lr"):
        assert continued.history[:, key] == fresh.history[:, key]
    assert continued.max_epochs == 12


def test_only_missing_epochs_are_trained(trained, tensors):
    model = net(callbacks=[Counting()])
    Counting.n_epochs = 0
    trained(model, tensors, 4, 9, 20)
    assert Counting.n_epochs == 20


@pytest.mark.parametrize("pickled", [False, True])
def test_early_stopping_keeps_its_count(pickled, trained, tensors):
    model = net(callbacks=[callbacks.EarlyStopping(monitor="train_loss", patience=2, threshold=0.05)])
    stop = len(trained(model, tensors, 60).history)
    assert 4 < stop < 60
    for lengths in ((stop - 1, 60), (stop, 60), (stop + 1, 60), (2, 4, 60)):
        assert len(trained(model, tensors, *lengths, pickled=pickled).history) == stop


def test_what_a_callback_ended_stays_ended(trained, tensors):
    assert len(trained(net(callbacks=[Ending()]), tensors, 3, 9, 12).history) == 5


def test_torch_generator_is_as_before(trained, tensors):
    before = torch.get_rng_state()
    first, again = (trained(net(), tensors, 2, 4) for _ in range(2))
    assert torch.equal(before, torch.get_rng_state())
    assert np.array_equal(first.predict_proba(tensors[0]), again.predict_proba(tensors[0]))


def test_in_a_pipeline_and_under_a_transformed_target(tensors, numbers):
    model = make_pipeline(StandardScaler(), net())
    adapter = find_adapter(model)
    assert adapter.resource == "neuralnetclassifier__max_epochs"
    check_adapter(adapter, model, *tensors)
    X, y = numbers
    regressor = skorch.NeuralNetRegressor(
        Net, module__n_outputs=1, lr=0.01, verbose=0, optimizer__momentum=0.9, batch_size=16
    )
    model = TransformedTargetRegressor(
        make_pipeline(FunctionTransformer(as_float32), regressor),
        func=as_float32,
        inverse_func=as_float32,
        check_inverse=False,
    )
    check_adapter(find_adapter(model), model, X, y[:, None])


def as_float32(X):
    return X.astype(np.float32)
