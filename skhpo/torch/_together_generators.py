"""Generators of nets that are trained together: each has its own, as it would have alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from skhpo._devices import GeneratorStates


class Generators:
    """Generators that stand for the process's own, as one net alone would have found them.

    Parameters
    ----------
    start : int or pair of states
        A seed, or where the last stretch of training left them.
    device : torch device
    """

    def __init__(self, start: int | Sequence[Any], device: torch.device) -> None:
        self.cpu = torch.Generator()
        self.device = self.cpu if device.type == "cpu" else torch.Generator(device)
        if isinstance(start, int | np.integer):
            self.cpu.manual_seed(int(start))
            self.device.manual_seed(int(start))
            return
        cpu, other = start
        self.cpu.set_state(torch.from_numpy(np.array(cpu)))
        if other is not None and device.type != "cpu":
            self.device.set_state(torch.from_numpy(np.array(other)))

    def initialize(self, net: Any) -> None:
        """Let a net draw its weights."""
        with torch.random.fork_rng(devices=[] if self.device is self.cpu else [self.device.device]):
            torch.default_generator.set_state(self.cpu.get_state())
            if self.device is not self.cpu:
                torch.cuda.set_rng_state(self.device.get_state(), self.device.device)
            net.initialize()
            self.cpu.set_state(torch.default_generator.get_state())
            if self.device is not self.cpu:
                self.device.set_state(torch.cuda.get_rng_state(self.device.device))

    def draw_seed(self) -> int:
        """Seed for what is drawn while training, from the generator that would have drawn it."""
        drawn = torch.empty((), dtype=torch.int64, device=self.device.device).random_(generator=self.device)
        return int(drawn.item())

    @property
    def states(self) -> GeneratorStates:
        """States as they are now."""
        other = None if self.device is self.cpu else self.device.get_state().numpy()
        return GeneratorStates(self.cpu.get_state().numpy(), other)


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """The process's own generators at a seed for a while."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.default_generator.manual_seed(seed)
        if device.type == "cuda":
            with torch.cuda.device(device):
                torch.cuda.manual_seed(seed)
        yield
