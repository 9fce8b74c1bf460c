"""What several rooms say of devices: the user's choice of them, and the states of their generators."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np


@dataclass(frozen=True)
class Devices:
    """Where nets are trained in a search, and how, for its parameter ``devices``.

    Parameters
    ----------
    slots : None, "auto", sequence or mapping, default="auto"
        None leaves every net on the device that it has. "auto" is all GPUs of this machine, one task at a
        time on each, and the same as None where there is none. A sequence of names, as in ``["cuda:0",
        "cuda:1"]``, takes one task at a time on each; a mapping tells how many: ``{"cuda:0": 4}``.
    together : int, default=1
        Up to so many nets are trained as one batched model in each slot, if they have the same
        architecture. See :func:`skhpo.torch.reason_against` for what cannot be; it is trained
        one by one.
    tensors : bool, default=True
        Whether nets that load their batches with torch's ``DataLoader`` get a
        :class:`skhpo.torch.TensorIterator` in its place.

    Raises
    ------
    ValueError
        If ``together`` is no positive number or ``tensors`` no bool; ``slots`` are looked at in ``fit``.

    Examples
    --------
    >>> from skhpo.torch import Devices
    >>> Devices({"cuda:0": 4})
    Devices(slots={'cuda:0': 4}, together=1, tensors=True)
    """

    slots: str | Sequence[Any] | Mapping[Any, int] | None = "auto"
    together: int = 1
    tensors: bool = True

    def __post_init__(self) -> None:
        if not isinstance(self.together, Integral) or isinstance(self.together, bool) or self.together < 1:
            raise ValueError(f"together must be a positive number of nets, got {self.together!r}.")
        if not isinstance(self.tensors, bool):
            raise ValueError(f"tensors must be True or False, got {self.tensors!r}.")

    @classmethod
    def of(cls, value: Any) -> Devices:
        """Whatever a search was given, as an object of this class."""
        return value if isinstance(value, cls) else cls(value)


class GeneratorStates(NamedTuple):
    """States of torch's generators.

    Attributes
    ----------
    cpu : array of uint8
    device : array of uint8 or None
        Of the net's own device, where that is not the CPU.
    """

    cpu: np.ndarray
    device: np.ndarray | None
