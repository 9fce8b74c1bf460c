"""What is kept between rungs, and that nothing is left."""

import os
import pickle
import stat

import pytest

from skhpo.evaluation._checkpoints import Checkpoint, FileCheckpoints, MemoryCheckpoints, open_checkpoints


@pytest.fixture(params=[MemoryCheckpoints, FileCheckpoints], ids=["memory", "files"])
def checkpoints(request):
    with request.param() as opened:
        yield opened


def test_the_last_one_counts_for_each_trial_and_fold(checkpoints):
    for trial, fold, model in [(0, 0, "a"), (0, 1, "b"), (10, 0, "c"), (0, 0, "d")]:
        checkpoints.save(trial, fold, Checkpoint(model, fold, 1))
    assert checkpoints.load(0, 0) == Checkpoint("d", 0, 1)
    assert checkpoints.load(0, 1) == Checkpoint("b", 1, 1)
    assert checkpoints.load(10, 0) == Checkpoint("c", 0, 1)
    assert checkpoints.load(1, 0) is None


def test_a_trial_is_dropped_with_all_its_folds_and_no_other(checkpoints):
    for trial, fold in [(1, 0), (1, 1), (10, 0), (11, 1)]:
        checkpoints.save(trial, fold, Checkpoint(trial, None, 1))
    checkpoints.drop(1)
    checkpoints.drop(7)
    kept = [(trial, fold) for trial in (1, 10, 11) for fold in (0, 1) if checkpoints.load(trial, fold)]
    assert kept == [(10, 0), (11, 1)]


def test_closing_leaves_nothing(checkpoints):
    checkpoints.save(0, 0, Checkpoint("a", None, 1))
    checkpoints.close()
    assert checkpoints.load(0, 0) is None


def test_memory_keeps_the_model_itself():
    model = object()
    with MemoryCheckpoints() as checkpoints:
        checkpoints.save(0, 0, Checkpoint(model, None, 1))
        assert checkpoints.load(0, 0).model is model


def test_files_are_private_and_gone_after_an_exception():
    with pytest.raises(KeyboardInterrupt), FileCheckpoints() as checkpoints:
        assert stat.S_IMODE(os.stat(checkpoints.directory).st_mode) == 0o700
        checkpoints.save(0, 0, Checkpoint("a", None, 1))
        raise KeyboardInterrupt
    assert not checkpoints.directory.exists()


def test_a_copy_reads_and_writes_the_same_files():
    with FileCheckpoints() as checkpoints:
        copy = pickle.loads(pickle.dumps(checkpoints))
        copy.save(3, 1, Checkpoint("a", None, 1))
        assert checkpoints.load(3, 1) == Checkpoint("a", None, 1)
        assert len(list(checkpoints.directory.iterdir())) == 1


def test_functions_of_a_notebook_are_kept():
    with FileCheckpoints() as checkpoints:
        checkpoints.save(0, 0, Checkpoint(lambda x: x + 1, None, 1))
        assert checkpoints.load(0, 0).model(1) == 2


def test_what_cannot_be_pickled_is_told_and_not_kept():
    class Stubborn:
        def __reduce__(self):
            raise RuntimeError("not me")

    with FileCheckpoints() as checkpoints:
        checkpoints.save(0, 0, Checkpoint("earlier", None, 1))
        with pytest.warns(UserWarning, match=r"Stubborn could not be kept .* trained again .* not me"):
            checkpoints.save(0, 0, Checkpoint(Stubborn(), None, 1))
        # An earlier one would be taken for what the model is now.
        assert checkpoints.load(0, 0) is None
        assert list(checkpoints.directory.iterdir()) == []


def test_what_cannot_be_read_is_told_and_not_there():
    with FileCheckpoints() as checkpoints:
        checkpoints.save(0, 0, Checkpoint("a", None, 1))
        (path,) = checkpoints.directory.iterdir()
        path.write_bytes(path.read_bytes()[:-5])
        with pytest.warns(UserWarning, match="could not be read and is trained again"):
            assert checkpoints.load(0, 0) is None


def test_the_kind_follows_where_work_runs():
    with open_checkpoints(in_process=True) as inside, open_checkpoints(in_process=False) as outside:
        assert isinstance(inside, MemoryCheckpoints)
        assert isinstance(outside, FileCheckpoints)
