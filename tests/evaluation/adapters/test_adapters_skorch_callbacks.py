"""What goes on is what skorch's own fit gives at once: weights, optimizer, history, files; all callbacks."""

import copy

import pytest

from skhpo.evaluation.adapters import find_adapter

torch = pytest.importorskip("torch")
skorch = pytest.importorskip("skorch")

from skorch import callbacks  # noqa: E402 - after the check that it is there
from skorch.callbacks import EarlyStopping, LRScheduler  # noqa: E402

from skhpo.evaluation.adapters._skorch_callbacks import _AWAY, obstacle  # noqa: E402 - as above
from tests.evaluation.adapters.skorch_helpers import LENGTHS, at_once, net, noop, require_same, state  # noqa: E402

# --- weights that are put back when a training ends -----------------------------------------------------


def best_is_not_last(model):
    """Whether the last epoch's weights are not the ones that are put back."""
    return model.history[-1, "valid_loss_best"] is False or len(model.history) < LENGTHS[-1]


OF_LR = {"lr": 0.6, "module__hidden_units": 30}  # with which the validation loss goes up and down


@pytest.mark.parametrize("patience", [3, 100])
def test_early_stopping_that_loads_the_best(patience, exact):
    model = net(callbacks=[EarlyStopping(patience=patience, load_best=True, sink=noop)], **OF_LR)
    once, *_ = exact(model)
    assert best_is_not_last(once)


@pytest.mark.parametrize("options", [{}, {"f_history": None}, {"event_name": None}, {"fn_prefix": "a-"}])
def test_checkpoint_that_loads_the_best(options, exact):
    once, *_ = exact(net(callbacks=[callbacks.Checkpoint(load_best=True, dirname="d", **options)], **OF_LR))
    assert best_is_not_last(once)


def test_both_with_a_scheduler(exact):
    both = [EarlyStopping(load_best=True, patience=6, sink=noop), callbacks.Checkpoint(load_best=True)]
    exact(
        net(callbacks=[*both, LRScheduler("ExponentialLR", gamma=0.9)], optimizer=torch.optim.Adam, lr=0.02)
    )


@pytest.mark.parametrize("length", LENGTHS)
def test_each_stretch_ends_as_a_fit_of_its_length(length, trained, tensors, tmp_path):
    model = net(callbacks=[EarlyStopping(patience=100, load_best=True, sink=noop)], **OF_LR)
    lengths = [n for n in LENGTHS if n <= length]
    require_same(state(trained(model, tensors, *lengths)), state(at_once(model, tensors, length)))


def test_a_memo_serves_twice(tensors):
    model = net(callbacks=[EarlyStopping(patience=100, load_best=True, sink=noop)], **OF_LR)
    adapter = find_adapter(model)
    memo = adapter.begin(model, 3, *tensors, {}, 5)
    first, again = copy.deepcopy(model), copy.deepcopy(model)
    for each in (first, again):
        adapter.extend(each, 9, *tensors, {}, memo)
    require_same(state(first), state(again))
    require_same(state(first), state(at_once(model, tensors)))


def test_the_best_is_remembered_where_none_follows(trained, tensors):
    """skorch leaves the best weights out of its pickle; here no later epoch can be better."""
    model = net(callbacks=[EarlyStopping(patience=100, load_best=True, threshold=0.5, sink=noop)], **OF_LR)
    once = at_once(model, tensors)
    best = dict(once.callbacks_)["EarlyStopping"].best_epoch_
    assert best < LENGTHS[0]
    require_same(state(trained(model, tensors, *LENGTHS)), state(once))


# --- files ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "callback",
    [
        callbacks.Checkpoint(),
        callbacks.Checkpoint(monitor=None, f_params="{last_epoch[epoch]}.pt", f_pickle="net.pickle"),
        callbacks.Checkpoint(monitor="train_loss_best", f_optimizer=None),
        callbacks.TrainEndCheckpoint(dirname="end"),
    ],
    ids=["default", "each", "train_loss", "end"],
)
def test_files_are_those_of_one_fit(callback, exact, tmp_path):
    exact(net(callbacks=[callback]))
    files = [
        {p.relative_to(tmp_path / f): p for p in sorted((tmp_path / f).rglob("*")) if p.is_file()}
        for f in ("at_once", "pickled_False", "pickled_True")
    ]
    assert files[0] and files[0].keys() == files[1].keys() == files[2].keys()
    for name in files[0]:
        if name.suffix == ".pt" and "criterion" not in name.name:
            first, *others = (torch.load(each[name]) for each in files)
            for other in others:
                require_same(other, first)


def test_an_initial_state_is_loaded_once(exact, tensors):
    source = callbacks.Checkpoint(dirname="source", monitor=None)

    def before():
        at_once(net(callbacks=[callbacks.Checkpoint(dirname="source", monitor=None)]), tensors, 3, seed=1)

    once, *_ = exact(net(callbacks=[callbacks.LoadInitState(source)]), before)
    assert len(once.history) == 3 + LENGTHS[-1]


# --- all others of skorch -------------------------------------------------------------------------------


def double(net):
    return torch.nn.init.zeros_ if len(net.history) == 6 else noop


class Writer:
    """Of TensorBoard, closed at the end of a training."""

    def __init__(self):
        self.rows = []

    def add_scalar(self, tag, scalar_value, global_step):
        self.rows.append((tag, global_step))

    def close(self):
        pass


class Experiment:
    def log_scalar(self, *args):
        pass


FREE = {
    "BatchScoring": lambda: callbacks.BatchScoring("accuracy", name="acc", lower_is_better=False),
    "Callback": callbacks.Callback,
    "EpochScoring": lambda: callbacks.EpochScoring("accuracy", lower_is_better=False, name="acc"),
    "EpochTimer": callbacks.EpochTimer,
    "Freezer": lambda: callbacks.Freezer("sequential.0.*", at=6),
    "GradientNormClipping": lambda: callbacks.GradientNormClipping(0.5),
    "Initializer": lambda: callbacks.Initializer("*weight", fn=torch.nn.init.orthogonal_, at=5),
    "InputShapeSetter": lambda: callbacks.InputShapeSetter("input_units"),
    "LRScheduler": lambda: LRScheduler("WarmRestartLR", base_period=3),
    "ParamMapper": lambda: callbacks.ParamMapper("*bias", schedule=double),
    "PassthroughScoring": lambda: callbacks.PassthroughScoring("train_loss", on_train=True),
    "PrintLog": callbacks.PrintLog,
    "ProgressBar": callbacks.ProgressBar,
    "SacredLogger": lambda: callbacks.SacredLogger(Experiment()),
    "TensorBoard": lambda: callbacks.TensorBoard(Writer()),
    "Unfreezer": lambda: callbacks.Unfreezer("sequential.0.*", at=6),
}
ABOVE = {"Checkpoint", "EarlyStopping", "LoadInitState", "TrainEndCheckpoint"}
SCHEDULERS = {"WarmRestartLR"}


def test_every_callback_of_skorch_is_decided():
    known = FREE.keys() | ABOVE | SCHEDULERS | _AWAY.keys()
    assert set(callbacks.__all__) == known


@pytest.mark.parametrize("name", sorted(FREE))
def test_goes_on(name, exact):
    added = [("first", callbacks.Freezer("sequential.0.*"))] if name == "Unfreezer" else []
    once, *others = exact(net(callbacks=[*added, ("one", FREE[name]())]))
    if name == "TensorBoard":
        rows = [dict(model.callbacks_)["one"].writer.rows for model in (once, *others)]
        assert rows[0] == rows[1] == rows[2]
        assert {step for _, step in rows[0]} == set(range(1, LENGTHS[-1] + 1))


@pytest.mark.parametrize("name", sorted(_AWAY))
def test_is_refused(name):
    model = net(callbacks=[getattr(callbacks, name)(None)])
    assert _AWAY[name] in obstacle(model)
    assert not find_adapter(model).can_extend(model, {})


def test_a_class_or_a_replaced_callback_is_seen():
    assert obstacle(net(callbacks=[callbacks.MlflowLogger]))
    assert obstacle(net(callbacks=[("a", callbacks.PrintLog()), ("b", None)])) is None
    assert obstacle(net(callbacks=[("a", callbacks.PrintLog())], callbacks__a=callbacks.MlflowLogger()))
    assert obstacle(net(callbacks="disable")) is None


def test_workers_that_live_on_are_refused():
    for name in ("iterator_train", "iterator_valid"):
        workers = {f"{name}__num_workers": 1, f"{name}__persistent_workers": True}
        assert name in obstacle(net(**workers))
        assert obstacle(net(**workers | {f"{name}__persistent_workers": False})) is None


# --- callbacks of the user's own ------------------------------------------------------------------------


class Beginning(callbacks.Callback):
    def on_train_begin(self, net, **kwargs):
        pass


class Patient(EarlyStopping):
    """With nothing of its own where a training begins or ends."""

    def on_epoch_end(self, net, **kwargs):
        super().on_epoch_end(net, **kwargs)


class Averaging(callbacks.Callback):
    """Mean of the weights of all epochs, in their place when the training ends."""

    n_begun = n_continued = 0

    def on_train_begin(self, net, **kwargs):
        self.n_begun += 1
        self.sum_ = None

    def on_train_continue(self, net, X, y, **kwargs):
        self.n_continued += 1

    def on_epoch_end(self, net, **kwargs):
        weights = torch.nn.utils.parameters_to_vector(net.module_.parameters()).detach()
        self.sum_ = weights if self.sum_ is None else self.sum_ + weights

    def on_train_end(self, net, **kwargs):
        torch.rand(3)
        mean = self.sum_ / len(net.history)
        torch.nn.utils.vector_to_parameters(mean, net.module_.parameters())
        for known in net.optimizer_.state.values():
            known["momentum_buffer"].zero_()
        net.history.record("averaged", True)


class Accelerated(skorch.NeuralNetClassifier):
    def on_train_end(self, net, **kwargs):
        pass


class AcceleratedAndContinued(Accelerated):
    n_continued = 0

    def on_train_continue(self, net, **kwargs):
        self.n_continued += 1


def test_a_callback_says_that_it_goes_on(exact):
    assert "no on_train_continue" in obstacle(net(callbacks=[Beginning()]))
    assert obstacle(net(callbacks=[callbacks.EarlyStopping(), Patient()])) is None
    _, *others = exact(net(callbacks=[("mean", Averaging())]))
    for model in others:
        mean = dict(model.callbacks_)["mean"]
        assert (mean.n_begun, mean.n_continued) == (1, 2)


def test_what_is_refused_is_fitted_as_it_is(tensors):
    model = net(callbacks=[Beginning()])
    assert find_adapter(model).begin(model, LENGTHS[-1], *tensors, {}, 5) is None
    require_same(state(model), state(at_once(model, tensors)))


def test_a_net_says_that_it_goes_on(exact):
    assert obstacle(net(Accelerated))
    _, *others = exact(net(AcceleratedAndContinued))
    assert [model.n_continued for model in others] == [2, 2]
