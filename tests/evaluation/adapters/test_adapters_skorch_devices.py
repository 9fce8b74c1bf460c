"""Nets move from device to device as they are, and are read where their device is missing."""

import copy
import io
import pickle

import numpy as np
import pytest
from sklearn.base import clone

from skhpo._devices import GeneratorStates
from skhpo.evaluation.adapters import find_adapter
from skhpo.testing import check_adapter

torch = pytest.importorskip("torch")
skorch = pytest.importorskip("skorch")

from skorch import callbacks  # noqa: E402 - after the check that it is there
from skorch.toy import MLPModule  # noqa: E402

from skhpo.evaluation.adapters._skorch import generators, move  # noqa: E402 - as above
from skhpo.evaluation.adapters._skorch_state import Kept, Tie, onto, tighten  # noqa: E402


def net(**options):
    defaults = {
        "module__input_units": 8,
        "module__output_units": 3,
        "module__dropout": 0.3,
        "module__output_nonlin": torch.nn.Identity(),
        "optimizer": torch.optim.Adam,
        "lr": 0.02,
        "verbose": 0,
        "batch_size": 32,
        "iterator_train__shuffle": True,
        "callbacks": [
            callbacks.EarlyStopping(load_best=True, patience=100, sink=print),
            ("rate", callbacks.LRScheduler("ExponentialLR", gamma=0.9)),
        ],
    }
    return skorch.NeuralNetClassifier(MLPModule, criterion=torch.nn.CrossEntropyLoss, **defaults | options)


def parameters_of(model):
    return list(model.module_.parameters())


def require_tied(model, device):
    """Optimizer and scheduler are those of the module, and all is on the device."""
    parameters = parameters_of(model)
    held = [p for group in model.optimizer_.param_groups for p in group["params"]]
    assert len(held) == len(parameters)
    assert all(one is other for one, other in zip(held, parameters, strict=True))
    assert list(map(id, model.optimizer_.state)) == list(map(id, parameters))
    tensors = [*parameters, *(t for state in model.optimizer_.state.values() for t in state.values())]
    assert {t.device.type for t in parameters} == {torch.device(device).type}
    for state in model.optimizer_.state.values():
        assert state["step"].device.type == "cpu"
        assert state["exp_avg"].device.type == torch.device(device).type
    assert len(tensors) == 4 * len(parameters)
    assert model.device == device


@pytest.mark.parametrize("device", ["cuda:1", torch.device("cuda", 0), "cpu"])
def test_an_unfitted_net_gets_the_parameter(device):
    model = clone(net())
    move(model, device)
    assert model.device == device and not model.initialized_


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_fitted_net_stays_tied(overwrite, trained, tensors):
    """torch may put other parameters into a module that moves, as it does for some devices always."""
    model = trained(net(), tensors, 3)
    before = [p.detach().clone() for p in parameters_of(model)]
    ids = list(map(id, parameters_of(model)))
    predicted = model.predict_proba(tensors[0])
    history = copy.deepcopy(model.history)
    torch.__future__.set_overwrite_module_params_on_conversion(overwrite)
    try:
        move(model, "cpu:0")
    finally:
        torch.__future__.set_overwrite_module_params_on_conversion(False)
    assert (ids != list(map(id, parameters_of(model)))) == overwrite
    require_tied(model, "cpu:0")
    assert all(torch.equal(*pair) for pair in zip(before, parameters_of(model), strict=True))
    assert np.array_equal(model.predict_proba(tensors[0]), predicted)
    assert model.history == history


@pytest.mark.parametrize("overwrite", [False, True])
def test_it_goes_on_where_it_was(overwrite, trained, tensors):
    expected = trained(net(), tensors, 9)
    adapter, model = find_adapter(net()), net()
    memo = adapter.begin(model, 4, *tensors, {}, 5)
    for length in (6, 9):
        torch.__future__.set_overwrite_module_params_on_conversion(overwrite)
        try:
            move(model, "cpu:0")
        finally:
            torch.__future__.set_overwrite_module_params_on_conversion(False)
        memo = adapter.extend(model, length, *tensors, {}, memo)
    for found, wanted in zip(parameters_of(model), parameters_of(expected), strict=True):
        assert torch.equal(found, wanted)


def test_all_that_a_net_holds_is_moved(trained, tensors):
    """To a device without memory, since that one is everywhere."""
    model = trained(net(optimizer__amsgrad=True), tensors, 3)
    tighten(model)
    move(model, "meta")
    best = dict(model.callbacks_)["EarlyStopping"].best_model_weights_
    states = [
        value for state in model.optimizer_.state.values() for key, value in state.items() if key != "step"
    ]
    assert {t.device.type for t in (*parameters_of(model), *best.values(), *states)} == {"meta"}
    scheduler = dict(model.callbacks_)["rate"].lr_scheduler_
    assert scheduler.optimizer is model.optimizer_


@pytest.mark.parametrize(
    ("options", "device"), [({}, "cpu"), ({"capturable": True}, "meta"), ({"fused": True}, "meta")]
)
def test_counts_of_steps_are_where_torch_wants_them(options, device, trained, tensors):
    model = trained(net(), tensors, 2)
    for group in model.optimizer_.param_groups:
        group.update(options, lr=torch.tensor(0.1))
    move(model, "meta")
    rates = {group["lr"].device.type for group in model.optimizer_.param_groups}
    assert rates == {"meta" if "capturable" in options else "cpu"}
    assert {state["step"].device.type for state in model.optimizer_.state.values()} == {device}


def test_only_what_lies_elsewhere_is_copied():
    weights = torch.nn.Linear(2, 2).state_dict()
    value = {"weights": weights, "parts": [torch.ones(1), (1, "a")], "n": 3}
    assert onto("cpu", value) is value
    moved = onto("meta", value)
    assert moved["weights"]["bias"].device.type == moved["parts"][0].device.type == "meta"
    assert value["parts"][0].device.type == "cpu"
    assert moved["parts"][1] is value["parts"][1] and type(moved["weights"]) is type(weights)
    assert moved["weights"]._metadata == weights._metadata


def test_what_is_kept_is_on_the_cpu(trained, tensors, monkeypatch):
    """No tensor goes into it but by way of the CPU."""
    model = trained(net(), tensors, 2)
    to, asked = torch.Tensor.to, []
    monkeypatch.setattr(torch.Tensor, "to", lambda t, device: asked.append((id(t), device)) or to(t, device))
    monkeypatch.setattr("skhpo.evaluation.adapters._skorch_state._has_own_steps", lambda net: True)
    kept = Kept.of(model)
    found = [*kept.best["EarlyStopping"].values(), *kept.gradients, *kept.modules["module_"].values()]
    found += [tensor for state in kept.optimizers["optimizer_"][1] for tensor in state.values()]
    n = sum(isinstance(value, torch.Tensor) for value in found)
    # Two layers: of each parameter the best, its gradient, itself, and the three tensors of Adam.
    assert n == 4 * (3 + 3)
    assert len(asked) == n and {device for _, device in asked} == {"cpu"}


def test_a_tie_shows_its_optimizer_and_pickles_its_name():
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(2))], lr=0.5)
    tie = Tie("optimizer_", optimizer)
    assert tie.param_groups is optimizer.param_groups
    for empty in (pickle.loads(pickle.dumps(tie)), copy.deepcopy(tie)):
        assert vars(empty) == {"_name": "optimizer_", "_optimizer": None}
        with pytest.raises(AttributeError):
            empty.param_groups  # noqa: B018 - asked for only


def test_outside_its_modules_a_net_pickles_no_tensor_of_the_device(trained, tensors):
    """Modules, criteria and optimizers are skorch's own to move where a device is missing."""

    found = []

    class Finder(pickle.Unpickler):
        def find_class(self, module, name):
            found.append(name)
            return super().find_class(module, name)

    model = trained(net(), tensors, 3)
    Finder(io.BytesIO(pickle.dumps(model))).load()
    assert "EarlyStopping" in found
    assert "_rebuild_tensor_v2" not in found and "_rebuild_parameter" not in found


@pytest.mark.parametrize("device", [None, np.zeros(16, np.uint8)])
def test_a_device_state_is_not_needed_on_the_cpu(device, tensors):
    torch.manual_seed(3)
    start = GeneratorStates(torch.get_rng_state().numpy(), device)
    expected = torch.rand(4)
    with generators(net().device, start) as found:
        assert found == torch.device("cpu")
        assert torch.equal(torch.rand(4), expected)


def test_a_checkpoint_of_another_device_goes_on(trained, tensors):
    """What was begun on CUDA has the state of a second generator."""
    adapter, model = find_adapter(net()), net()
    memo = adapter.begin(model, 4, *tensors, {}, 5)
    other = copy.copy(memo)
    vars(other)["generators"] = GeneratorStates(memo.generators.cpu, np.zeros(16, np.uint8))
    adapter.extend(model, 9, *tensors, {}, other)
    for found, wanted in zip(parameters_of(model), parameters_of(trained(net(), tensors, 9)), strict=True):
        assert torch.equal(found, wanted)


# --- with a GPU -----------------------------------------------------------------------------------------


@pytest.fixture
def cuda():
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    deterministic = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True, warn_only=True)
    yield torch.device("cuda", 0)
    torch.use_deterministic_algorithms(deterministic)


def largest_gap(model, other):
    pairs = zip(parameters_of(model), parameters_of(other), strict=True)
    return max((found.cpu() - wanted.cpu()).abs().max().item() for found, wanted in pairs)


@pytest.mark.gpu
def test_on_a_gpu(cuda, tensors):
    """Equal to 1e-6 in probability; the device's generator is as before."""
    model = net(device="cuda")
    before = torch.cuda.get_rng_state()
    check_adapter(find_adapter(model), model, *tensors, atol=1e-6)
    assert torch.equal(before, torch.cuda.get_rng_state())


@pytest.mark.gpu
@pytest.mark.parametrize("pickled", [False, True])
def test_ten_and_twenty_epochs_are_thirty_on_a_gpu(pickled, cuda, trained, tensors):
    """Weights equal to 1e-6, with deterministic algorithms."""
    model = net(device="cuda", callbacks=[("rate", callbacks.LRScheduler("StepLR", step_size=7))])
    whole, parts = trained(model, tensors, 30), trained(model, tensors, 10, 30, pickled=pickled)
    assert largest_gap(parts, whole) <= 1e-6
    assert np.allclose(parts.history[:, "train_loss"], whole.history[:, "train_loss"], rtol=0, atol=1e-6)


@pytest.mark.gpu
@pytest.mark.parametrize("way", [("cuda:0", "cpu"), ("cpu", "cuda:0"), ("cuda:0", "cpu", "cuda:0")])
def test_from_device_to_device(way, cuda, trained, tensors):
    """Without dropout, whose draws differ between devices; weights equal to 1e-3 after 9 epochs."""
    model = net(module__dropout=0.0, optimizer=torch.optim.Adam, lr=0.005)
    expected = trained(model, tensors, 9)
    adapter, model = find_adapter(model), clone(model)
    move(model, way[0])
    memo = adapter.begin(model, 3, *tensors, {}, 5)
    for length, device in zip((6, 9), (*way[1:], way[-1]), strict=False):
        model, memo = pickle.loads(pickle.dumps((model, memo)))
        move(model, device)
        require_tied(model, device)
        memo = adapter.extend(model, length, *tensors, {}, memo)
    assert largest_gap(model, expected) < 1e-3
    move(model, "cpu")
    require_tied(model, "cpu")


@pytest.mark.gpu
def test_a_checkpoint_needs_no_gpu_to_be_read(cuda, trained, tensors, monkeypatch):
    adapter, model = find_adapter(net()), net(device="cuda")
    memo = adapter.begin(model, 3, *tensors, {}, 5)
    written = pickle.dumps((model, memo))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.warns(skorch.exceptions.DeviceWarning):
        model, memo = pickle.loads(written)
    adapter.extend(model, 6, *tensors, {}, memo)
    assert len(model.history) == 6
    assert {p.device.type for p in parameters_of(model)} == {"cpu"}
