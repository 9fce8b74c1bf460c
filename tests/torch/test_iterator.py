"""Batches of TensorIterator are those of torch's DataLoader, which is the oracle of all that follows."""

import copy
import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from skorch.dataset import Dataset
from torch import nn
from torch.utils.data import DataLoader, SequentialSampler, Subset, TensorDataset, default_collate

from skhpo.torch import TensorIterator
from skhpo.torch import _iterator as module

NUMPY_DTYPES = ["?", "u1", "i1", "i2", "i4", "i8", "f2", "f4", "f8", "c8", "c16"]


def epochs(loader_class, dataset, *, n_epochs=2, seed=0, **options):
    """Batches of some epochs, and the states of the generators afterwards."""
    torch.manual_seed(seed)
    if options.get("generator") is not None:
        options["generator"] = torch.Generator().manual_seed(options["generator"])
    loader = loader_class(dataset, **options)
    batches = [list(loader) for _ in range(n_epochs)]
    states = [torch.get_rng_state()]
    if options.get("generator") is not None:
        states.append(options["generator"].get_state())
    return batches, states, len(loader)


def assert_same(ours, theirs):
    """The same containers of the same tensors, to the bit."""
    assert type(ours) is type(theirs)
    if isinstance(theirs, torch.Tensor):
        assert (ours.dtype, ours.shape, ours.device) == (theirs.dtype, theirs.shape, theirs.device)
        assert ours.is_contiguous() and not ours.requires_grad
        assert ours.numpy().tobytes() == theirs.numpy().tobytes()
    elif isinstance(theirs, dict):
        assert list(ours) == list(theirs)
        for key in theirs:
            assert_same(ours[key], theirs[key])
    elif isinstance(theirs, list | tuple):
        assert len(ours) == len(theirs)
        for pair in zip(ours, theirs, strict=True):
            assert_same(*pair)
    else:
        assert ours == theirs


def is_fast(dataset, **options):
    """Whether tensors are indexed, and no loader asked."""
    iterator = TensorIterator(dataset, **options)
    iter(iterator)
    return iterator._data is not None


def check(dataset, *, seed=0, **options):
    assert is_fast(dataset, **{**options, "generator": None})
    ours, theirs = (epochs(loader, dataset, seed=seed, **options) for loader in (TensorIterator, DataLoader))
    assert_same(ours, theirs)


def array(n, shape=(), dtype="f4", seed=0):
    rng = np.random.default_rng(seed)
    return (100 * rng.standard_normal((n, *shape))).astype(dtype)


X7, Y7 = array(7, (3,)), np.array([0, 1, 1, 0, 1, 0, 0])


@st.composite
def datasets(draw):
    """Plain datasets of up to 12 samples."""
    n = draw(st.integers(1, 12))
    values = st.builds(
        lambda shape, dtype, kind, seed: kind(array(n, shape, dtype, seed)),
        st.sampled_from([(), (1,), (3,), (2, 3)]),
        st.sampled_from(NUMPY_DTYPES),
        st.sampled_from([np.asarray, np.asfortranarray, torch.from_numpy]),
        st.integers(0, 9),
    )
    if draw(st.booleans()):
        dataset = TensorDataset(*map(torch.as_tensor, draw(st.lists(values, min_size=1, max_size=3))))
    else:
        inputs = st.one_of(
            values,
            st.dictionaries(st.sampled_from("abc"), values, min_size=1),
            st.lists(values, min_size=1, max_size=3),
            st.tuples(values, values),
        )
        dataset = Dataset(draw(inputs), draw(st.one_of(st.none(), values, st.tuples(values, values))))
    for _ in range(draw(st.integers(0, 2))):
        n = len(dataset)
        indices = draw(st.lists(st.integers(-n, n - 1), min_size=1, max_size=12))
        dataset = Subset(dataset, draw(st.sampled_from([list, tuple, np.array]))(indices))
    return dataset


class TestBatches:
    @settings(max_examples=300, deadline=None)
    @given(
        dataset=datasets(),
        batch_size=st.integers(1, 14),
        shuffle=st.booleans(),
        drop_last=st.booleans(),
        generator=st.sampled_from([None, 3]),
        seed=st.integers(0, 5),
    )
    def test_are_those_of_the_loader(self, dataset, batch_size, shuffle, drop_last, generator, seed):
        options = {"batch_size": batch_size, "shuffle": shuffle, "drop_last": drop_last}
        check(dataset, seed=seed, generator=generator, **options)

    @pytest.mark.parametrize("dtype", NUMPY_DTYPES)
    def test_of_single_numbers_have_the_type_of_the_array(self, dtype):
        check(Dataset(array(5, (), dtype), array(5, (), dtype)), batch_size=2)

    @pytest.mark.parametrize("default", [torch.float32, torch.float64])
    def test_without_a_target_have_the_placeholder(self, default):
        before = torch.get_default_dtype()
        try:
            torch.set_default_dtype(default)
            check(Dataset(X7), batch_size=3)
        finally:
            torch.set_default_dtype(before)

    def test_take_a_series_as_target(self):
        y = pd.Series(Y7, index=list("gfedcba"))
        check(Dataset(X7, y), batch_size=3, shuffle=True)
        check(Subset(Dataset(X7, y), [5, 1, 1]), batch_size=2)

    @pytest.mark.parametrize("batch_size", [3, 7])
    def test_can_be_left_before_the_end(self, batch_size):
        """What the generators have drawn by then is the same at each point, the epoch after included."""

        def states(loader_class):
            torch.manual_seed(1)
            generator = torch.Generator().manual_seed(2)
            loader = loader_class(Dataset(X7, Y7), batch_size=batch_size, shuffle=True, generator=generator)
            seen = []
            for n_taken in (0, 1, 2, 9):
                iterator = iter(loader)
                for _ in range(n_taken):
                    seen.append(next(iterator, "end"))
                    seen += [torch.get_rng_state(), generator.get_state(), torch.rand(1)]
            return seen

        assert_same(states(TensorIterator), states(DataLoader))

    def test_of_channels_last_images_have_the_strides_of_the_loader(self):
        images = torch.randn(6, 3, 4, 5).to(memory_format=torch.channels_last)
        for ours, theirs in zip(
            TensorIterator(TensorDataset(images), 4), DataLoader(TensorDataset(images), 4), strict=True
        ):
            assert ours[0].stride() == theirs[0].stride() == (60, 20, 5, 1)

    def test_with_workers_are_the_same(self):
        options = {"batch_size": 3, "shuffle": True, "num_workers": 1, "generator": 4}
        for more in ({}, {"persistent_workers": True, "prefetch_factor": 3}):
            check(Dataset(X7, Y7), **options, **more)

    @pytest.mark.parametrize("shuffle", [False, True])
    def test_may_be_changed_in_place(self, shuffle):
        X = X7.copy()
        iterator = TensorIterator(Dataset(X, Y7), batch_size=3, shuffle=shuffle)
        for _ in range(2):
            for X_batch, y_batch in iterator:
                assert torch.isfinite(X_batch).all() and (y_batch >= 0).all()
                X_batch.fill_(torch.nan)
                y_batch.fill_(-1)
        np.testing.assert_array_equal(X, X7)


class TestConversion:
    def test_copies_nothing_that_torch_can_share(self):
        tensor, number = torch.ones(7, 2), Y7.copy()
        iterator = TensorIterator(Dataset({"a": X7, "b": tensor}, number))
        iter(iterator)
        inputs, target = iterator._data
        assert inputs["a"].data_ptr() == X7.ctypes.data
        assert inputs["b"].data_ptr() == tensor.data_ptr()
        assert target.data_ptr() == number.ctypes.data

    def test_is_done_once(self, monkeypatch):
        calls = []
        monkeypatch.setattr(module, "_tensors", lambda dataset: calls.append(dataset) or [torch.ones(7, 1)])
        iterator = TensorIterator(Dataset(X7, Y7))
        assert not calls
        for _ in range(3):
            list(iterator)
        assert len(calls) == 1

    @pytest.mark.filterwarnings("ignore:The given NumPy array is not writable")  # By the loader.
    def test_of_arrays_that_may_not_be_written_warns_of_nothing(self, tmp_path):
        X = X7.copy()
        X.flags.writeable = False
        np.save(tmp_path / "X.npy", X7)
        mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
        torch.set_warn_always(True)  # Else it warns once in the life of a process.
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                for values in (X, mapped):
                    for dataset in (Dataset(values, Y7), Subset(Dataset(values, Y7), [3, 1])):
                        assert is_fast(dataset)
        finally:
            torch.set_warn_always(False)
        check(Dataset(mapped, Y7), batch_size=3)

    def test_moves_to_the_device(self):
        iterator = TensorIterator(Dataset(X7, Y7), batch_size=3, device="meta")
        assert [X.device.type for X, _ in iterator] == ["meta"] * 3
        assert iterator.device == "meta"


class Doubled(Dataset):
    def transform(self, X, y):
        return 2 * X, y


class Reversed(Subset):
    def __getitem__(self, i):
        return self.dataset[self.indices[-1 - i]]

    def __getitems__(self, indices):
        return [self[i] for i in indices]


class Numbers(torch.utils.data.IterableDataset):
    def __iter__(self):
        return iter(range(5))


def first(batch):
    return default_collate(batch[:1])


class TestFallback:
    @pytest.mark.parametrize(
        "dataset",
        [
            Doubled(X7, Y7),
            Reversed(Dataset(X7, Y7), range(5)),
            Numbers(),
            list(range(7)),
            Dataset(pd.DataFrame(X7, columns=list("abc")), Y7),
            Dataset(sparse.csr_matrix(X7), Y7),
            Dataset(X7, Y7.tolist()),
            Dataset({"a": X7[:, 0].tolist()}, Y7, length=7),
            Dataset({"a": [np.ones(7) for _ in range(7)]}, Y7, length=7),
            Dataset(X7.view(np.matrix), Y7),
            Dataset(X7, Y7, length=5),
            Dataset(X7, pd.Series(Y7, dtype="Int64")),
            Dataset(X7, Y7.astype(object)),
            Dataset(X7, np.array(list("abcdefg"))),
            TensorDataset(nn.Parameter(torch.ones(7, 2))),
            TensorDataset(torch.ones(7, 2, requires_grad=True)),
            TensorDataset(torch.ones(7, dtype=torch.complex64).conj()),
            Subset(TensorDataset(torch.ones(7)), torch.tensor([1, 2])),
        ],
        ids=lambda dataset: type(dataset).__name__,
    )
    def test_is_the_loader(self, dataset):
        assert not is_fast(dataset)
        ours, theirs = (list(loader(dataset, batch_size=2)) for loader in (TensorIterator, DataLoader))
        assert len(ours) == len(theirs)
        assert str(ours) == str(theirs)

    @pytest.mark.parametrize(
        "options",
        [
            {"sampler": [3, 1, 4], "batch_size": 2},
            {"batch_sampler": [[3, 1], [4]]},
            {"collate_fn": first, "batch_size": 2, "shuffle": True},
            {"batch_size": None},
        ],
    )
    def test_where_options_change_what_is_in_a_batch(self, options):
        assert not is_fast(Dataset(X7, Y7), **options)
        torch.manual_seed(0)
        ours = list(TensorIterator(Dataset(X7, Y7), **options))
        torch.manual_seed(0)
        assert str(ours) == str(list(DataLoader(Dataset(X7, Y7), **options)))

    def test_not_where_such_options_are_none(self):
        options = {"sampler": None, "batch_sampler": None, "collate_fn": None, "worker_init_fn": None}
        check(Dataset(X7, Y7), batch_size=3, shuffle=True, **options)
        assert not is_fast(Dataset(X7, Y7), worker_init_fn=print)

    @pytest.mark.parametrize(
        "dataset",
        [
            Dataset(X7.astype(">f4"), Y7),
            Dataset(X7, np.stack([Y7, Y7], 1).astype(object)),
            Dataset(X7, Y7.astype("datetime64[s]")),
            Subset(Dataset(X7, Y7), [2, 7]),
            Subset(Dataset(X7, Y7), ["a"]),
        ],
    )
    def test_raises_what_the_loader_raises(self, dataset):
        messages = []
        for loader in (TensorIterator, DataLoader):
            with pytest.raises(Exception) as caught:
                list(loader(dataset, batch_size=2))
            messages.append((type(caught.value), str(caught.value)))
        assert messages[0] == messages[1]

    def test_of_nothing_yields_nothing(self):
        assert list(TensorIterator(Subset(Dataset(X7, Y7), []))) == []

    @pytest.mark.parametrize(
        ("options", "error"),
        [({"batch_size": -1}, ValueError), ({"drop_last": 1}, ValueError), ({"batchsize": 3}, TypeError)],
    )
    def test_options_are_checked_by_the_loader(self, options, error):
        with pytest.raises(error):
            TensorIterator(Dataset(X7, Y7), **options)


class TestSeat:
    def test_is_a_loader(self):
        dataset = Dataset(X7, Y7)
        iterator = TensorIterator(dataset, batch_size=3, drop_last=True)
        assert isinstance(iterator, DataLoader)
        assert iterator.dataset is dataset
        assert (len(iterator), iterator.batch_size, iterator.drop_last) == (2, 3, True)
        assert isinstance(iterator.sampler, SequentialSampler)

    @pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda it: pickle.loads(pickle.dumps(it))])
    def test_is_pickled_without_its_tensors(self, copied):
        iterator = TensorIterator(Subset(Dataset(X7, Y7), [1, 2, 3]), batch_size=2, shuffle=True)
        size = len(pickle.dumps(iterator))
        torch.manual_seed(0)
        batches = list(iterator)
        assert len(pickle.dumps(iterator)) == size
        other = copied(iterator)
        assert other._data is None
        torch.manual_seed(0)
        assert_same(list(other), batches)


class TestMemory:
    @pytest.mark.parametrize(("free", "fits"), [(4 * 800, True), (4 * 800 - 1, False)])
    def test_a_quarter_of_what_is_free_may_be_taken(self, monkeypatch, free, fits):
        asked = []
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: asked.append(device) or (free, 10**9))
        data = [{"a": torch.ones(10, 15)}, torch.ones(10, 5)]  # 200 numbers of four bytes.
        assert module._fits(data, torch.device("cuda:1")) is fits
        assert asked == [torch.device("cuda:1")]

    def test_no_other_device_is_asked(self):
        assert module._fits([torch.ones(3)], torch.device("cpu"))

    @pytest.mark.parametrize("shuffle", [False, True])
    def test_batches_are_sent_one_by_one_where_all_do_not_fit(self, monkeypatch, shuffle):
        sent = []

        def send(batch, device):
            sent.append((batch.shape, batch.device.type, str(device)))
            return batch

        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (100, 10**9))
        monkeypatch.setattr(module, "_sent", send)
        options = {"batch_size": 4, "shuffle": shuffle}
        ours = epochs(TensorIterator, Dataset(X7, Y7), n_epochs=1, device="cuda:0", **options)
        assert_same(ours, epochs(DataLoader, Dataset(X7, Y7), n_epochs=1, **options))
        assert sent == [(shape, "cpu", "cuda:0") for shape in [(4, 3), (4,), (3, 3), (3,)]]

    @pytest.mark.gpu
    @pytest.mark.parametrize("free", [0, 10**9])
    def test_on_a_real_device(self, monkeypatch, free):
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (free, 10**9))
        options = {"batch_size": 64, "shuffle": True}
        dataset = Subset(Dataset(array(1000, (8,)), array(1000)), np.arange(0, 1000, 3))
        ours, state, n_batches = epochs(TensorIterator, dataset, device="cuda", **options)
        assert all(tensor.is_cuda for epoch in ours for batch in epoch for tensor in batch)
        ours = [[[tensor.cpu() for tensor in batch] for batch in epoch] for epoch in ours]
        assert_same((ours, state, n_batches), epochs(DataLoader, dataset, **options))
