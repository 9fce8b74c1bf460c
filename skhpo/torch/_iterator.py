"""Batches of data that are tensors already, in the seat of torch's ``DataLoader``.

The loader takes each sample out of the dataset by itself and stacks the samples of a batch again, which is
most of what a small net on tabular data costs. Where the dataset is nothing but arrays, the same batch is one
indexing of a tensor. Which samples go into which batch is drawn here as the loader draws it, from the
same generators in the same order, so that the batches are the loader's own and torch's generator is left
where the loader would have left it.

Notation

==========  ============  ==========================================================================
symbol      shape         meaning
==========  ============  ==========================================================================
n           scalar        samples of the dataset
b           scalar        samples of a batch
r           (n,)          rows of the arrays that a ``Subset`` names
pi          (n,)          order in which an epoch takes the samples
data        nested        tensors (n, ...) in the lists and dicts in which the loader hands batches out
==========  ============  ==========================================================================
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any, cast

import numpy as np
import torch
from skorch.dataset import Dataset
from skorch.utils import is_pandas_ndframe
from torch.utils.data import DataLoader, Subset, TensorDataset, default_collate

MEMORY_SHARE = 0.25
"""Part of a CUDA device's free memory that the tensors of one iterator may take."""

_SAME_BATCHES = {
    "generator",
    "in_order",
    "multiprocessing_context",
    "num_workers",
    "persistent_workers",
    "pin_memory",
    "pin_memory_device",
    "prefetch_factor",
    "timeout",
}
"""Options of the loader that say how batches are made and not what is in them; ``generator`` is heeded."""

_DTYPES = {np.dtype(kind) for kind in "?bhilqBefdFD"}
"""Types of arrays, in the machine's byte order, that any version of torch turns into tensors."""


class TensorIterator(DataLoader):
    """``DataLoader`` that indexes tensors, where the dataset is plain arrays.

    To be handed to skorch as ``iterator_train`` and ``iterator_valid``. Batches are, bit for bit, those that
    ``DataLoader`` yields from the same state of torch's generator, which is the same afterwards too.

    Data are plain where ``dataset`` is exactly skorch's ``Dataset``, torch's ``TensorDataset``, or a
    ``Subset`` of one of them (or a ``Subset`` of that), of numpy arrays of booleans or numbers, dense
    tensors that need no gradient, or dicts, lists and tuples of those; targets may also be a pandas
    ``Series``, or None. They are turned into tensors when the first batch is asked for, without a copy where
    the arrays are contiguous and writeable and no ``Subset`` chooses from them, and moved to ``device`` once.
    What is put into the dataset after that is not seen. With all other data, and with options that change
    what is in a batch (``sampler``, ``batch_sampler``, ``collate_fn``, ``worker_init_fn``,
    ``batch_size=None``), this is a ``DataLoader`` and nothing else.

    Parameters
    ----------
    dataset : torch.utils.data.Dataset
        What to take samples from.
    batch_size : int, default=1
        Samples of a batch.
    shuffle : bool, default=False
        Whether each epoch takes the samples in an order of its own.
    drop_last : bool, default=False
        Whether to leave out a last batch that is smaller than the others.
    device : str or torch.device, optional
        Where batches are; None leaves them where the data are. Tensors that would take more than a quarter
        of a CUDA device's free memory stay where they are, and each batch is moved when it is its turn.
        What is no plain data is not moved: skorch moves it.
    **loader_options : object
        Further parameters of ``DataLoader``. With plain data ``generator`` is used, and what only says how
        batches are made (``num_workers``, ``pin_memory``, ``prefetch_factor``, ...) has no effect.

    Attributes
    ----------
    device : str, torch.device or None
        As given.

    See Also
    --------
    torch.utils.data.DataLoader : Takes each sample by itself.

    Notes
    -----
    A batch is a copy, which may be changed in place as the loader's may. No workers are started, so that
    ``persistent_workers`` changes one thing only: with it the loader draws a seed for its workers once
    instead of once in each epoch, and so does this class.

    Examples
    --------
    >>> import numpy as np
    >>> from skorch.dataset import Dataset
    >>> from skhpo.torch import TensorIterator
    >>> X, y = np.arange(10, dtype=np.float32).reshape(5, 2), np.array([0, 1, 0, 1, 1])
    >>> for X_batch, y_batch in TensorIterator(Dataset(X, y), batch_size=2, drop_last=True):
    ...     print(X_batch.tolist(), y_batch.tolist())
    [[0.0, 1.0], [2.0, 3.0]] [0, 1]
    [[4.0, 5.0], [6.0, 7.0]] [0, 1]

    In a net, shuffled in each epoch:

    >>> import torch
    >>> from skorch import NeuralNetClassifier
    >>> net = NeuralNetClassifier(
    ...     torch.nn.Linear(2, 2),
    ...     criterion=torch.nn.CrossEntropyLoss,
    ...     iterator_train=TensorIterator,
    ...     iterator_train__shuffle=True,
    ...     iterator_valid=TensorIterator,
    ...     train_split=None,
    ...     max_epochs=3,
    ...     verbose=0,
    ... )
    >>> net.fit(X, y).predict(X).shape
    (5,)
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: int | None = 1,
        shuffle: bool = False,
        drop_last: bool = False,
        device: str | torch.device | None = None,
        **loader_options: Any,
    ) -> None:
        super().__init__(
            dataset, batch_size=batch_size, shuffle=shuffle, drop_last=drop_last, **loader_options
        )
        self.device = device
        self._shuffle = shuffle
        self._usual = batch_size is not None and all(
            value is None or name in _SAME_BATCHES for name, value in loader_options.items()
        )
        self._data: Any = None
        self._moved_to: torch.device | None = None
        self._seeded = False

    def __iter__(self) -> Any:
        """Batches of one epoch."""
        if self._usual and self._data is None:
            self._prepare()
        if not self._usual:
            return super().__iter__()
        # The loader's seed for its workers, drawn whether or not there are any.
        if not (self._seeded and self.persistent_workers):
            torch.empty((), dtype=torch.int64).random_(generator=self.generator)
            self._seeded = True
        return self._batches()

    def __getstate__(self) -> dict[str, Any]:
        """State without tensors, which the dataset can give again."""
        return {**vars(self), "_data": None, "_moved_to": None, "_seeded": False}

    def _prepare(self) -> None:
        """Turn the dataset into tensors on the device, or find that it is not plain."""
        try:
            data = _tensors(self.dataset)
        except _NotPlainError:
            self._usual = False
            return
        device = None if self.device is None else torch.device(self.device)
        if device is not None and _fits(data, device):
            data = _apply(lambda tensor: tensor.to(device), data)
        elif device is not None:
            self._moved_to = device
        self._data = data

    def _batches(self) -> Iterator[Any]:
        # Plain data have a length, which torch's type of a dataset does not.
        n, b = len(self.dataset), cast(int, self.batch_size)
        pi, generator = None, self.generator
        if self._shuffle:
            if generator is None:
                # A generator of the epoch's own, seeded by the global one, as in RandomSampler.
                generator = torch.Generator()
                generator.manual_seed(int(torch.empty((), dtype=torch.int64).random_().item()))
            pi = torch.randperm(n, generator=generator)
        take = _taker(self._data, pi, self._moved_to)
        whole = n - n % b
        for start in range(0, whole, b):
            yield take(start, start + b)
        if self._shuffle and self.generator is not None:
            # RandomSampler draws a permutation that it does not use when it is asked for more than n samples.
            torch.randperm(n, generator=generator)
        if whole < n and not self.drop_last:
            yield take(whole, n)


class _NotPlainError(TypeError):
    """A dataset that is more than arrays."""


def _tensors(dataset: Any) -> list[Any]:
    """Data of a plain dataset."""
    root, r = _rows(dataset)
    n = len(root)
    if type(root) is Dataset:
        y = root.y.to_numpy() if _is_series(root.y) else root.y
        # Zeros are what skorch's Dataset has for no target.
        no_target = torch.zeros(len(dataset), 1, device="cpu")
        data = [_converted(root.X, n, r), no_target if y is None else _converted(y, n, r)]
    else:
        data = [_converted(tensor, n, r) for tensor in root.tensors]
    try:
        sample = default_collate([_writeable(dataset[0])])
    except Exception as error:  # Whatever it is, the loader will meet it too, and is the one to say so.
        raise _NotPlainError("the loader does not take the first sample") from error
    if not _alike(data, sample):
        raise _NotPlainError("the loader makes something else of the first sample")
    return data


def _rows(dataset: Any) -> tuple[Any, np.ndarray | None]:
    """Dataset of arrays that a ``Subset``, or several in turn, chooses from, and the rows r."""
    chain = [dataset]
    while type(chain[-1]) is Subset:
        chain.append(chain[-1].dataset)
    if type(chain[-1]) not in (Dataset, TensorDataset):
        raise _NotPlainError("not a dataset of arrays")
    r = None
    for subset, source in pairwise(chain):
        n = len(source)
        if type(subset.indices) not in (list, tuple, range, np.ndarray):
            raise _NotPlainError("indices of another kind")
        indices = np.asarray(subset.indices)
        if indices.ndim != 1 or indices.dtype.kind != "i" or not np.all((-n <= indices) & (indices < n)):
            raise _NotPlainError("indices that are no positions")
        indices = np.where(indices < 0, indices + n, indices).astype(np.int64)
        r = indices if r is None else indices[r]
    return chain[-1], r


def _is_series(y: Any) -> bool:
    """Whether targets are a pandas ``Series`` of one of numpy's types."""
    return is_pandas_ndframe(y) and isinstance(getattr(y, "dtype", None), np.dtype)


def _converted(values: Any, n: int, r: np.ndarray | None) -> Any:
    """Values (n, ...) as contiguous tensors, of the rows r if any."""
    if type(values) is dict:
        return {key: _converted(value, n, r) for key, value in values.items()}
    if type(values) in (list, tuple):
        return [_converted(value, n, r) for value in values]
    if type(values) in (np.ndarray, np.memmap):
        if values.ndim == 0 or len(values) != n or values.dtype not in _DTYPES:
            raise _NotPlainError("an array that has no tensor")
        array = np.ascontiguousarray(values if r is None else values[r])
        # Torch warns of sharing what may not be written.
        return torch.from_numpy(array) if array.flags.writeable else torch.tensor(array)
    if type(values) is torch.Tensor:
        if values.ndim == 0 or len(values) != n or not _is_dense(values):
            raise _NotPlainError("a tensor of a special kind")
        if r is not None:
            values = values.index_select(0, torch.from_numpy(r).to(values.device))
        return values.contiguous()
    raise _NotPlainError("neither array nor tensor")


def _is_dense(tensor: torch.Tensor) -> bool:
    """Whether a tensor is numbers in memory and nothing else."""
    return tensor.layout == torch.strided and not (
        tensor.requires_grad
        or tensor.is_nested
        or tensor.is_quantized
        or tensor.is_meta
        or tensor.is_conj()
        or tensor.is_neg()
    )


def _writeable(sample: Any) -> Any:
    """Copy of a sample, because torch warns of arrays that may not be written, and not of copies."""
    if isinstance(sample, dict):
        return {key: _writeable(part) for key, part in sample.items()}
    if isinstance(sample, list | tuple):
        return type(sample)(map(_writeable, sample))
    return sample.copy() if isinstance(sample, np.ndarray) else sample


def _alike(data: Any, sample: Any) -> bool:
    """Whether batches of data are what the loader made of a sample: containers, types, shapes, devices."""
    if type(data) is not type(sample):
        return False
    if isinstance(data, dict):
        return list(data) == list(sample) and all(_alike(data[key], sample[key]) for key in data)
    if isinstance(data, list):
        return len(data) == len(sample) and all(map(_alike, data, sample))
    return data.dtype == sample.dtype and data.shape[1:] == sample.shape[1:] and data.device == sample.device


def _fits(data: Any, device: torch.device) -> bool:
    """Whether tensors may be moved to a device for good."""
    if device.type != "cuda":
        return True
    n_bytes = sum(
        tensor.numel() * tensor.element_size() for tensor in _leaves(data) if tensor.device != device
    )
    free, _ = torch.cuda.mem_get_info(device)
    return n_bytes <= MEMORY_SHARE * free


def _taker(data: Any, pi: torch.Tensor | None, moved_to: torch.device | None) -> Callable[[int, int], Any]:
    """Function that gives the samples pi[start:stop] of data."""
    orders = {} if pi is None else {tensor.device: pi.to(tensor.device) for tensor in _leaves(data)}

    def take(start: int, stop: int) -> Any:
        def part(tensor: torch.Tensor) -> torch.Tensor:
            if pi is None:
                # A copy, so that a batch that is changed in place does not change the data.
                batch = tensor[start:stop].clone()
            else:
                batch = tensor.index_select(0, orders[tensor.device][start:stop])
            return batch if moved_to is None else _sent(batch, moved_to)

        return _apply(part, data)

    return take


def _sent(batch: torch.Tensor, device: torch.device) -> torch.Tensor:
    """Batch on a CUDA device; from pinned memory, so that the CPU need not wait for the copy."""
    return (batch if batch.is_cuda else batch.pin_memory()).to(device, non_blocking=True)


def _leaves(data: Any) -> Iterator[torch.Tensor]:
    """All tensors of data."""
    if isinstance(data, torch.Tensor):
        yield data
        return
    for part in data.values() if isinstance(data, dict) else data:
        yield from _leaves(part)


def _apply(function: Callable[[torch.Tensor], torch.Tensor], data: Any) -> Any:
    """Data of what a function makes of each tensor."""
    if isinstance(data, torch.Tensor):
        return function(data)
    if isinstance(data, dict):
        return {key: _apply(function, part) for key, part in data.items()}
    return [_apply(function, part) for part in data]


_ITERATORS = ("iterator_train", "iterator_valid")


class _ChosenDevice(str):
    """Device that ``use_tensors`` set, and may set anew, as it may not where the user chose one."""

    __slots__ = ()


def use_tensors(net: Any, device: str | torch.device | None) -> None:
    """Let a net take its batches from tensors, where it would take them from torch's ``DataLoader``.

    An iterator that the user chose stays, and so does the device that the user chose for a
    ``TensorIterator``. Nothing of the net is initialised again.

    Parameters
    ----------
    net : skorch.NeuralNet
        Initialised or not; changed in place.
    device : str, torch.device or None
        Where batches are to be; None for where the data are.
    """
    for name in _ITERATORS:
        if getattr(net, name) is DataLoader:
            # Not by set_params, which looks for a module to initialise again once a net is initialised.
            setattr(net, name, TensorIterator)
    send_tensors(net, device)


def send_tensors(net: Any, device: str | torch.device | None) -> None:
    """Have the tensors of a net's iterators on another device, unless the user chose one for them.

    Parameters
    ----------
    net : skorch.NeuralNet
        Changed in place.
    device : str, torch.device or None
        Where the net is.
    """
    for name in _ITERATORS:
        option = f"{name}__device"
        if getattr(net, name) is TensorIterator and isinstance(
            getattr(net, option, None), _ChosenDevice | None
        ):
            setattr(net, option, None if device is None else _ChosenDevice(device))
