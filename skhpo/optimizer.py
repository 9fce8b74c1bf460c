"""Ask for candidates and tell their scores, for work that is no estimator's ``fit``."""

from __future__ import annotations

import math
import numbers
from collections.abc import Mapping, Sequence
from typing import Any, SupportsFloat, overload

import numpy as np
from sklearn.exceptions import NotFittedError
from sklearn.utils import check_random_state

from skhpo._blas import one_blas_thread
from skhpo.samplers import Sampler, make_sampler
from skhpo.space import as_space

_MAX_SEED = 2**31 - 1


class SpaceExhausted(RuntimeError):
    """A finite space has no candidate left that was not asked for or told.

    It is no ``ValueError``, so that a training loop that takes those for failed candidates does not
    swallow it, and no ``StopIteration``, which would silently end a generator around the loop.
    """


class Optimizer:
    """Search by asking and telling, over the same spaces and with the same samplers as the searches.

    Parameters
    ----------
    space : dict, list of dicts or Space
        What may be searched, in every form that ``param_distributions`` of a search may have.
    sampler : {"random", "sobol", "grid", "auto", "tpe", "gp", "cmaes"} or Sampler, default="tpe"
        Where to look next. A sampler object is copied and left as it is.
    random_state : int, RandomState instance or None, default=None
        Source of the one seed that is drawn here; with an int, the same scores get the same proposals.

    Attributes
    ----------
    space : Space
        The domain that is searched.

    Raises
    ------
    ValueError
        If the space is empty or contradictory, or there is no sampler of that name.
    TypeError
        If ``space`` or ``sampler`` is of a wrong type.

    See Also
    --------
    skhpo.SearchCV : The same over the parameters of a scikit-learn estimator.

    Notes
    -----
    Several candidates may be asked for before one is told; samplers take those in flight into account.
    Values that are believed good need no special entry: tell their scores before the first ask.

    An optimizer may be pickled at any moment, with candidates in flight, and the copy goes on
    exactly as the original would.

    Examples
    --------
    >>> from skhpo import Optimizer
    >>> from skhpo.space import Real
    >>> optimizer = Optimizer({"lr": Real(1e-4, 1.0, log=True), "layers": [1, 2, 3]}, random_state=0)
    >>> for _ in range(30):
    ...     params = optimizer.ask()
    ...     score = 1.0 - abs(params["lr"] - 0.1) - 0.1 * params["layers"]
    ...     optimizer.tell(params, score)
    >>> optimizer.best_params_["layers"]
    1
    >>> optimizer.n_told
    30
    """

    def __init__(
        self,
        space: Any,
        sampler: str | Sampler = "tpe",
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        seed = int(check_random_state(random_state).randint(_MAX_SEED))
        self.space = as_space(space, seed=seed)
        self._sampler = make_sampler(sampler).start(self.space, seed=seed)
        self._pending: list[tuple[bytes, np.ndarray, dict[str, Any]]] = []
        self._best: tuple[dict[str, Any], float] | None = None

    def __repr__(self) -> str:
        """Say how far the search is."""
        return (
            f"<Optimizer over {self.space.d} columns with {type(self._sampler).__name__}: "
            f"{self.n_asked} asked, {self.n_told} told>"
        )

    @overload
    def ask(self, n: None = None) -> dict[str, Any]: ...

    @overload
    def ask(self, n: int) -> list[dict[str, Any]]: ...

    def ask(self, n: int | None = None) -> dict[str, Any] | list[dict[str, Any]]:
        """Propose what to evaluate next.

        Parameters
        ----------
        n : int, optional
            How many candidates at once. More than one worker is kept busy just as well by asking
            singly, as soon as each is free, and the sampler then knows more at each ask.

        Returns
        -------
        params : dict or list of dict
            One candidate where ``n`` is None; else a list of n, or of as many as a finite space still has.

        Raises
        ------
        SpaceExhausted
            If no candidate is left.
        ValueError
            If ``n`` is less than 1.
        TypeError
            If ``n`` is not an integer.
        """
        if n is not None:
            if isinstance(n, bool) or not isinstance(n, numbers.Integral):
                raise TypeError(f"n must be an integer or None, got {n!r}.")
            if n < 1:
                raise ValueError(f"n must be at least 1, got {n!r}.")
        pending = np.array([point for _, point, _ in self._pending]).reshape(-1, self.space.d)
        with one_blas_thread():
            X = self._sampler.ask(1 if n is None else int(n), pending)
        if not len(X):
            raise SpaceExhausted(
                f"No candidate is left: {self.n_told} were told, {len(self._pending)} are pending."
            )
        proposed = []
        for point in X:
            params = self.space.to_params(point)
            self._pending.append((self._key(params), point, params))
            proposed.append(dict(params))
        return proposed[0] if n is None else proposed

    def tell(
        self,
        params: Mapping[str, Any] | Sequence[Mapping[str, Any]],
        score: float | Sequence[float | None] | None,
    ) -> None:
        """Report what candidates were worth.

        Parameters
        ----------
        params : dict or list of dict
            Candidates, asked for or not. One that was asked for is recognised by its values,
            so return them unchanged.
        score : float or None, or list of them
            Greater is better. None, NaN or an infinity says that the evaluation failed, which
            teaches the sampler to stay away.

        Raises
        ------
        ValueError
            If a candidate is incomplete or outside the space, or the lists differ in
            length. Nothing is then learnt of any of them.
        TypeError
            If ``params`` or ``score`` is of a wrong type.
        """
        batch, scores = _as_lists(params, score)
        if not batch:
            return
        pending = list(self._pending)
        X = np.array([self._claim(candidate, pending) for candidate in batch])
        self._sampler.tell(X, -np.array(scores))
        self._pending = pending
        for candidate, value in zip(batch, scores, strict=True):
            if math.isfinite(value) and (self._best is None or value > self._best[1]):
                self._best = dict(candidate), value

    @property
    def n_asked(self) -> int:
        """Number of candidates proposed so far."""
        return self._sampler.n_asked

    @property
    def n_told(self) -> int:
        """Number of scores told so far, failures included."""
        return len(self._sampler.history)

    @property
    def pending(self) -> list[dict[str, Any]]:
        """Candidates asked and not yet told, in the order of asking."""
        return [dict(params) for _, _, params in self._pending]

    @property
    def best_params_(self) -> dict[str, Any]:
        """The candidate with the greatest score; ``NotFittedError`` before there is one."""
        return dict(self._incumbent()[0])

    @property
    def best_score_(self) -> float:
        """The greatest score; ``NotFittedError`` before there is one."""
        return self._incumbent()[1]

    def _incumbent(self) -> tuple[dict[str, Any], float]:
        if self._best is None:
            raise NotFittedError(f"No candidate has a score yet: {self.n_told} told, none of them a success.")
        return self._best

    def _key(self, params: Mapping[str, Any]) -> bytes:
        return self.space.to_position(params).tobytes()

    def _claim(self, params: Mapping[str, Any], pending: list[tuple[bytes, np.ndarray, Any]]) -> np.ndarray:
        """Point that ``params`` was asked at, taken out of ``pending``; else the point it has by itself.

        A value's position need not be, to the last bit, the one it was decoded from, and overlapping
        dicts of a list have several points for the same params; both are settled by
        comparing what comes back from the values with what came back from them when they were asked.
        """
        key = self._key(params)
        for i, (asked, point, _) in enumerate(pending):
            if asked == key:
                del pending[i]
                return point
        return np.frombuffer(key)


def _as_lists(params: Any, score: Any) -> tuple[list[Mapping[str, Any]], list[float]]:
    if isinstance(params, Mapping):
        return [params], [_as_float(score)]
    if isinstance(params, str) or not isinstance(params, Sequence):
        raise TypeError(f"params must be a dict or a list of dicts, got {params!r}.")
    for candidate in params:
        if not isinstance(candidate, Mapping):
            raise TypeError(f"params must be a dict or a list of dicts, got a list with {candidate!r}.")
    if isinstance(score, str) or not isinstance(score, Sequence | np.ndarray):
        raise TypeError(f"score must be a list, as params is one, got {score!r}.")
    if len(params) != len(score):
        raise ValueError(f"params and score must be equally long, got {len(params)} and {len(score)}.")
    return list(params), [_as_float(value) for value in score]


def _as_float(score: Any) -> float:
    if score is None:
        return math.nan
    # SupportsFloat lets in what a training loop has at hand, a tensor without dimensions for one.
    if isinstance(score, bool) or not isinstance(score, SupportsFloat):
        raise TypeError(f"score must be a number or None, got {score!r}.")
    return float(score)
