"""Samplers by name, each through the entry point that its own documentation recommends.

A module of this folder imports its library when it is loaded and has functions
``minimise(job, evaluate)``, which call ``evaluate(params) -> loss`` some ``job.n`` times. They run in a
process of their own (``worker.py``), in whichever environment has the library.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Protocol

from ..axes import Axes


class Evaluate(Protocol):
    """The task, as a sampler sees it."""

    folds: list[float] | None
    """Losses of the single folds of the last evaluation, where it has any."""

    def __call__(self, params: dict[str, Any]) -> float: ...


@dataclass(frozen=True)
class Job:
    """What a sampler is told before it begins.

    Attributes
    ----------
    axes : sequence of Axis
    seed : int
    n : int
        Number of evaluations.
    noisy : bool
        Whether equal parameters may have other losses: for libraries whose documentation asks for it.
    """

    axes: Axes
    seed: int
    n: int
    noisy: bool


@dataclass(frozen=True)
class Peer:
    """Where a sampler is found.

    Attributes
    ----------
    module : str
        In this folder.
    option : str
        Passed to the module's ``minimise``.
    packages : tuple of str
        Distributions that it needs; the version of the first is the sampler's.
    knows_budget : bool
        Whether it is told the number of evaluations and decides by it.
    family : str
        Which of ours it is compared with.
    takes_categories : bool
    """

    module: str
    option: str
    packages: tuple[str, ...]
    knows_budget: bool = False
    family: str = ""
    takes_categories: bool = True


def _ours(name: str) -> Peer:
    return Peer("ours", name, ("scikit-learn",), knows_budget=True, family=name)


PEERS = {
    "random": _ours("random"),
    "sobol": _ours("sobol"),
    "auto": _ours("auto"),
    "tpe": _ours("tpe"),
    "gp": _ours("gp"),
    "cmaes": _ours("cmaes"),
    "optuna-tpe": Peer("optuna_peers", "tpe", ("optuna",), family="tpe"),
    "optuna-gp": Peer("optuna_peers", "gp", ("optuna", "torch"), family="gp"),
    "optuna-cmaes": Peer("optuna_peers", "cmaes", ("optuna", "cmaes"), family="cmaes"),
    "optuna-auto": Peer("optuna_peers", "auto", ("optunahub", "cmaes", "torch")),
    "skopt": Peer("skopt_peer", "", ("scikit-optimize",), family="gp"),
    "hyperopt": Peer("hyperopt_peer", "", ("hyperopt",), family="tpe"),
    "cma": Peer("cma_peer", "", ("cma",), family="cmaes", takes_categories=False),
    "flaml-cfo": Peer("flaml_peers", "CFO", ("FLAML",), knows_budget=True),
    "flaml-blendsearch": Peer("flaml_peers", "BlendSearch", ("FLAML", "optuna"), knows_budget=True),
    "smac": Peer("smac_peer", "", ("smac",), knows_budget=True, family="gp"),
    "hebo": Peer("hebo_peer", "", ("HEBO",), family="gp"),
    "botorch": Peer("botorch_peer", "", ("botorch",), family="gp"),
    "ngopt": Peer("nevergrad_peer", "", ("nevergrad",), knows_budget=True),
}
# "tpe:gamma=0.2,n_startup=5" is one of ours with options of its own.
OURS = tuple(name for name, peer in PEERS.items() if peer.module == "ours")


def base_of(name: str) -> str:
    """The sampler's name without options."""
    return name.partition(":")[0]


def peer_of(name: str) -> Peer:
    """Where a sampler is found, one of ours with options included.

    Raises
    ------
    KeyError
        If there is none of this name, or it takes no options.
    """
    if name in PEERS:
        return PEERS[name]
    if base_of(name) not in OURS:
        raise KeyError(name)
    return replace(PEERS[base_of(name)], option=name, family="")


def version_here(name: str) -> str | None:
    """Version of a sampler in this environment; None where one of its packages is not installed."""
    try:
        versions = [version(package) for package in PEERS[name].packages]
        if name in OURS:
            return import_module(".ours", __name__).build_of(name)
    except (PackageNotFoundError, ImportError):
        # Ours cannot be imported beside the old scikit-learn that some peer wants.
        return None
    return versions[0]


def load(name: str) -> Callable[[Job, Evaluate], None]:
    """The sampler's ``minimise``, its library imported."""
    peer = peer_of(name)
    module = import_module(f".{peer.module}", __name__)
    return lambda job, evaluate: module.minimise(peer.option, job, evaluate)
