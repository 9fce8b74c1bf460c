"""Files that a net's callbacks write have a folder of their own, and are found where they are to be read."""

import copy
import os

import pytest
from sklearn.base import clone

torch = pytest.importorskip("torch")
skorch = pytest.importorskip("skorch")

from skorch import callbacks  # noqa: E402 - after the check that it is there
from skorch.callbacks import EarlyStopping  # noqa: E402
from skorch.toy import MLPModule  # noqa: E402

from skhpo.evaluation.adapters._skorch import own_files  # noqa: E402 - as above


def net(**options):
    sizes = {"module__input_units": 8, "module__output_units": 3, "verbose": 0}
    return skorch.NeuralNetClassifier(MLPModule, criterion=torch.nn.CrossEntropyLoss, **sizes | options)


def folders(tmp_path):
    return sorted(str(p.parent.relative_to(tmp_path)) for p in tmp_path.rglob("*params.pt"))


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"callbacks": [callbacks.Checkpoint()]}, ["c"]),
        ({"callbacks": [callbacks.Checkpoint]}, ["c"]),
        ({"callbacks": [("a", callbacks.Checkpoint), callbacks.PrintLog()]}, ["c"]),
        ({"callbacks": [("a", callbacks.Checkpoint)], "callbacks__a__dirname": "x"}, ["x/c"]),
        ({"callbacks": [callbacks.Checkpoint(dirname="x/y")]}, ["x/y/c"]),
        ({"callbacks": [("a", callbacks.Checkpoint(dirname="x"))], "callbacks__a__dirname": "z"}, ["z/c"]),
        ({"callbacks": [callbacks.Checkpoint(), callbacks.Checkpoint(dirname="x")]}, ["c", "x/c"]),
        ({"callbacks": [callbacks.Checkpoint(f_params="sub/params.pt")]}, ["c/sub"]),
        ({"callbacks": [callbacks.Checkpoint(fn_prefix="sub/a-")]}, ["c/sub"]),
        ({"callbacks": [callbacks.TrainEndCheckpoint(dirname="x")]}, ["x/c"]),
        (
            {"callbacks": [("a", None), EarlyStopping()], "callbacks__a": callbacks.Checkpoint()},
            ["c"],
        ),
        ({"callbacks": "disable"}, []),
        ({"callbacks": None}, []),
    ],
    ids=lambda value: str(value)[:40].replace(" ", "") if isinstance(value, list) else "",
)
def test_files_in_a_folder_of_their_own(given, expected, tensors, here):
    model = clone(net(max_epochs=2, **given))
    own_files(model, "c")
    model.fit(*tensors)
    assert folders(here) == expected


def test_absolute_files_too(tensors, here):
    absolute = callbacks.Checkpoint(f_params=str(here / "deep" / "params.pt"), f_pickle=None)
    prefixed = callbacks.Checkpoint(fn_prefix=str(here / "other" / "a-"))
    model = net(max_epochs=1, callbacks=[absolute, prefixed])
    own_files(model, "c")
    model.fit(*tensors)
    assert folders(here) == ["deep/c", "other/c"]


def test_the_users_callbacks_stay_as_they_are(tensors, here):
    mine = callbacks.Checkpoint(dirname="x")
    model = clone(original := net(max_epochs=1, callbacks=[("a", mine)]))
    before = copy.deepcopy(vars(mine))
    own_files(model, "c")
    model.fit(*tensors)
    assert vars(mine) == before and "callbacks__a__dirname" not in vars(original)
    assert os.listdir(here) == ["x"]


def test_open_files_are_left_alone(here):
    model = net(callbacks=[callbacks.Checkpoint(f_params=open(os.devnull, "wb"), f_history=None)])
    before = set(vars(model))
    own_files(model, "c")
    assert set(vars(model)) == before


@pytest.mark.parametrize("kind", [callbacks.Checkpoint, callbacks.TrainEndCheckpoint])
def test_an_initial_state_is_that_of_the_own_checkpoint(kind, tensors, here):
    own = kind(dirname="x")
    for _ in range(2):
        model = clone(net(max_epochs=2, callbacks=[("own", own), callbacks.LoadInitState(own)]))
        own_files(model, "c")
        model.fit(*tensors)
        at_work = dict(model.callbacks_)
        assert at_work["LoadInitState"].checkpoint is at_work["own"]
    assert folders(here) == ["x/c"]
    assert len(model.history) > 2


def test_an_initial_state_from_elsewhere_is_found(tensors, here):
    net(max_epochs=3, callbacks=[callbacks.Checkpoint(dirname="source", monitor=None)]).fit(*tensors)
    source = callbacks.LoadInitState(callbacks.Checkpoint(dirname="source", monitor=None))
    model = clone(net(max_epochs=2, callbacks=[callbacks.Checkpoint(), source]))
    own_files(model, "c")
    assert len(model.fit(*tensors).history) == 5
