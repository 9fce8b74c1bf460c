"""The tree-structured Parzen estimator (TPE).

The evaluations are split at a quantile of their losses; the density l of the points below it and
the density g of those above are estimated; and the proposal is the point, of some drawn
from l, at which l is largest in comparison with g.

    p(x | y) = l(x) if y < y*, else g(x)                              Bergstra 2011, (2)
    EI_y*(x) proportional to (gamma + (1 - gamma) g(x) / l(x))^-1     Bergstra 2011, section 4.1

The expected improvement grows with l / g and with nothing else, so that log l - log g is what is
maximised.

Notation
--------
d         : number of columns of the space
n         : number of evaluations that have a loss
y         : (n,), losses
n_below   : ceil(gamma n), at most ``max_below``
n_above   : number of the others, failures included
m_above   : how many of them have a kernel, at most ``max_above``
y*        : the least loss above the split
l, g      : densities of the points below and above y*; ``below`` and ``above`` in the code
w         : (m + 1,), weights of the m kernels of l or g and, last, of the prior
"""

from __future__ import annotations

import math
import numbers
from collections import Counter
from dataclasses import dataclass
from typing import ClassVar, Literal, NamedTuple

import numpy as np

from skhpo.samplers._base import Sampler
from skhpo.samplers.tpe._bandwidths import leaving_probabilities, ordered_bandwidths
from skhpo.samplers.tpe._layout import layout_of
from skhpo.samplers.tpe._parzen import ParzenEstimator
from skhpo.space import Space

_WEIGHTS = ("rank", "improvement", "equal")
_FADING = 3
"""What an earlier search's results are worth falls to nothing over this many times as many evaluations."""


class Kernels(NamedTuple):
    """Points (m, d) of the kernels of a density, and their weights (m,): 1 for an evaluation."""

    X: np.ndarray
    w: np.ndarray

    def joined_with(self, others: Kernels) -> Kernels:
        return Kernels(np.concatenate([self.X, others.X]), np.append(self.w, others.w))

    def times(self, share: float) -> Kernels:
        """Those of a weight, each with that share of it; none where the share is 0."""
        return Kernels(self.X, share * self.w) if share > 0 else Kernels(self.X[:0], self.w[:0])


def _ones(X: np.ndarray) -> Kernels:
    return Kernels(X, np.ones(len(X)))


def estimator_of(
    space: Space, kernels: Kernels, sigma: np.ndarray, prior_weight: float = 1.0
) -> ParzenEstimator:
    """The density of kernels with bandwidths sigma (d,) in the ordered columns."""
    b = leaving_probabilities(space, kernels.X)
    bandwidths = np.where(layout_of(space).is_ordered, sigma, b)
    w = np.append(kernels.w, prior_weight)
    return ParzenEstimator(space, kernels.X, np.broadcast_to(bandwidths, kernels.X.shape), w / w.sum())


@dataclass(eq=False)
class TPESampler(Sampler):
    """Multivariate tree-structured Parzen estimator.

    One model for the whole conditional tree, with joint kernels over all columns. Failed and
    pending points count among the bad ones, so that proposals keep away from them. Under Hyperband it
    is BOHB [1]_; see Notes.

    Parameters
    ----------
    n_startup : int, default=10
        Points of the scrambled Sobol design that comes before the model.
    gamma : float, default=0.07
        Share of the evaluations that counts as good ("below"). With a larger one the search is broader and
        slower: Watanabe's 0.15 was clearly worse.
    max_below : int, default=25
        Most evaluations that count as good, however many there are.
    max_above : int, default=1000
        Most kernels in the density of the others ("above"), so that a proposal costs the same after ten
        thousand evaluations as after one thousand; see Notes.
    weights : {"rank", "improvement", "equal"}, default="rank"
        How much the kernel of a good point weighs. By rank, log(n_below + 1/2) - log i for the i-th best, as
        in the recombination of CMA-ES; by its improvement on the best of the bad points, which is
        Watanabe's choice, as good and more trusting in single losses; or all the same.
    prior_weight : float, default=1.0
        Weight of the prior, in units of the mean weight of the observations.
    min_bandwidth_factor : float, default=0.003
        Least bandwidth of a kernel on an ordered axis, as a part of the axis. It limits how precisely a
        smooth problem is solved in the end.
    magic_clip_exponent : float, default=2.0
        While there are few good points m, bandwidths are at least (m + 2) to the power of minus this.
    n_ei_candidates : int, default=24
        Points drawn from the density of the good ones, of which the best is proposed.
    random_fraction : float, default=1/3
        Share of the proposals that are drawn from the prior, once results from less than the full
        resource are known: where these mislead the model, the search is still a random one.
    n_earlier : int, default=10
        How many evaluations the results of an earlier search are worth at first; see Notes.

    Raises
    ------
    TypeError
        If an option is not a number, or not an integer where it has to be.
    ValueError
        If an option is outside its range.

    Notes
    -----
    The defaults are those of an ablation, docs/tpe_ablation.md. Mean log10 of the regret over 17 functions
    and ten seeds, less that of the defaults; standard errors are 0.03 to 0.06:

    ==============================================================  =====  =====
    evaluations                                                        50    100
    ==============================================================  =====  =====
    Optuna 5.0's TPE                                                +0.37  +0.54
    bandwidths of good and bad points apart, by Scott's rule        +0.23  +0.45
    the same, by gaps to neighbours                                 +0.16  +0.32
    ``gamma=0.2``                                                   +0.40  +0.68
    ``gamma=0.1``                                                   +0.04  +0.09
    ``magic_clip_exponent=3.0``                                     +0.41  +0.66
    ``weights="equal"``                                             +0.11  +0.16
    independent kernels for each column                             +0.19  +0.29
    ``n_startup=20``                                                +0.14  +0.14
    ``n_ei_candidates=64``                                          +0.04  +0.06
    ==============================================================  =====  =====

    What matters most is no option: good and bad points have the same bandwidths, which are those of the good
    ones alone. Where each set has its own, the ratio is blind at the scale on which the good ones differ.

    After an earlier search the first proposal is its best point. Its good points are among the good
    ones from the start, with the weight that ``n_earlier`` evaluations would have; that falls to nothing over
    three times as many evaluations, and every fourth proposal until then is of the Sobol design: where the
    problem has changed, something else has to be seen. Its bad points are left out, as a search that had
    come to an end had them beside its best one. Losses of the two searches are never compared. Under a budget
    the evaluations that count are those at the resource of the model.

    Where more than ``max_above`` evaluations are above, their ranks are cut into that many slices of equal
    length, and the middle of each slice stands for all of it: its kernel has the weight of as many. This
    keeps the shape of the density, to within 0.1 of its logarithm at a thousand of 5000 kernels, and with it
    what was found out about bad regions long ago, which the newest evaluations alone do not tell; and
    nothing is drawn for it.

    Where results come from less than the full resource, the model is that of the largest resource with
    d + 2 successes, as in BOHB; failures at any resource count as bad. Another rule was tried: each trial
    counts once, at its largest resource, with the loss that is to be expected of it in full by regression
    lines. Where small resources rank as the full one does it is the better one (logarithm to base 10 of the
    regret after one pass of Hyperband, R=81, eta=3, on synthetic problems of six and eight columns, 12
    seeds: -1.43 against -1.19 at a small bias of small resources, -1.25 against -1.02 at a large one, and
    -0.56 for random search). On the five real models of ``benchmarks/budgets.py``, six to eight seeds,
    held-out AUC or accuracy less that of the reference, times 1000, neither is ahead:

    ===========================  ========  ======  ======  ======  ======
    rule                         LightGBM  HistGB  forest  MLP     skorch
    ===========================  ========  ======  ======  ======  ======
    largest with d + 2           -1.7      +0.7    -10.2   -0.2    -13.2
    carried by lines             -1.8      -0.2    -6.7    +3.6    -26.2
    standard errors, about       1         1       2       15      9
    ===========================  ========  ======  ======  ======  ======

    Small resources mislead there: a single tree says little of a forest. So the rule is the published one.

    In the mean of three synthetic problems and 20 seeds, by that other rule, ``random_fraction`` of 1/6 and 0
    were better than 1/3 by 0.15 and 0.17 at a small bias, 0.08 and 0.13 at a large one: a third is
    insurance, as in BOHB.

    References
    ----------
    .. [1] S. Falkner, A. Klein and F. Hutter (2018). BOHB: robust and efficient hyperparameter
       optimization at scale. ICML 35, arXiv:1807.01774.

    J. Bergstra, R. Bardenet, Y. Bengio and B. Kegl (2011). Algorithms for hyper-parameter
    optimization. NeurIPS 24.

    J. Bergstra, D. Yamins and D. Cox (2013). Making a science of model search: hyperparameter
    optimization in hundreds of dimensions for vision architectures. ICML 30.

    S. Watanabe (2023). Tree-structured Parzen estimator: understanding its algorithm components
    and their roles for better empirical performance. arXiv:2304.11127.

    J. Aitchison and C. Aitken (1976). Multivariate binary discrimination by the kernel method.
    Biometrika 63.

    Examples
    --------
    >>> from skhpo.samplers.tpe import TPESampler
    >>> from skhpo.space import Column, Real, Space
    >>> run = TPESampler().start(Space([Column("x", Real(-1, 3))]), seed=0)
    >>> for _ in range(40):
    ...     X = run.ask()
    ...     run.tell(X, (X[:, 0] - 0.25) ** 2)
    >>> bool(run.history.loss.min() < 1e-4)
    True
    """

    warm_starts: ClassVar[bool] = True

    n_startup: int = 10
    gamma: float = 0.07
    max_below: int = 25
    max_above: int = 1000
    weights: Literal["rank", "improvement", "equal"] = "rank"
    prior_weight: float = 1.0
    min_bandwidth_factor: float = 0.003
    magic_clip_exponent: float = 2.0
    n_ei_candidates: int = 24
    random_fraction: float = 1 / 3
    n_earlier: int = 10

    def __post_init__(self) -> None:
        if self.weights not in _WEIGHTS:
            raise ValueError(f"weights must be one of {_WEIGHTS}, got {self.weights!r}.")
        for name in ("n_startup", "max_below", "max_above", "n_ei_candidates", "n_earlier"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, numbers.Integral):
                raise TypeError(f"{name} must be an integer, got {value!r}.")
            if value < 1:
                raise ValueError(f"{name} must be at least 1, got {value!r}.")
        for name, most in (
            ("gamma", 1.0),
            ("prior_weight", math.inf),
            ("min_bandwidth_factor", 1.0),
            ("magic_clip_exponent", math.inf),
            ("random_fraction", 1.0),
        ):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, numbers.Real):
                raise TypeError(f"{name} must be a number, got {value!r}.")
            number, zero_allowed = float(value), name == "random_fraction"
            if not (0 < number <= most and math.isfinite(number)) and not (zero_allowed and number == 0):
                least = "at least 0" if zero_allowed else "greater than 0"
                limit = f"at most {most:g}" if math.isfinite(most) else "finite"
                raise ValueError(f"{name} must be {least} and {limit}, got {value!r}.")

    def _start(self) -> None:
        self._order = np.empty(0, dtype=int)
        self._sorted_loss = np.empty(0)
        self._n_successes: Counter[float] = Counter()

    def _learn(self, n_new: int) -> None:
        # Kept sorted, as sorting all of the history again would come to dominate a long search.
        first = len(self.history) - n_new
        loss = self.history.loss[first:]
        succeeded = np.isfinite(loss)
        self._n_successes.update(self.history.resource[first:][succeeded].tolist())
        y = np.where(succeeded, loss, np.inf)
        new = np.argsort(y, kind="stable")
        at = np.searchsorted(self._sorted_loss, y[new], side="right")  # Equals in the order of telling.
        self._sorted_loss = np.insert(self._sorted_loss, at, y[new])
        self._order = np.insert(self._order, at, first + new)

    def _propose(self, n: int, pending: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        if self.earlier is None and self._in_design(self.n_startup):
            return self._initial(n, rng)
        good, bad = self._split()
        sigma = ordered_bandwidths(good.X, good.w, self.min_bandwidth_factor, self.magic_clip_exponent)
        below = self._estimator(good, sigma)
        taken = {row.tobytes() for row in pending}
        # A trial under promotion is pending, and one of the best: it counts as what it was worth so far.
        bad = bad.joined_with(_ones(pending[self._is_new(pending)]))
        random_share = self.random_fraction if self.history.is_budgeted else 0.0
        proposals = np.empty((n, self.space.d))
        for i in range(n):
            given = self._without_model(self.n_asked + i, taken)
            if given is not None:
                proposals[i] = self.space.canonical(given[None])[0]
            elif random_share and rng.random() < random_share:
                proposals[i] = self.space.canonical(rng.random((1, self.space.d)))[0]
            else:
                proposals[i] = self._best_candidate(below, self._estimator(bad, sigma), taken, rng)
            # What was proposed is pending for the rest of the batch.
            bad = bad.joined_with(_ones(proposals[i : i + 1]))
            taken.add(proposals[i].tobytes())
        return proposals

    def _initial(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Points (n, d) of the initial design."""
        return self._design.points(self.n_asked, n)

    def _without_model(self, k: int, taken: set[bytes]) -> np.ndarray | None:
        """The k-th proposal, where it is fixed by an earlier search: its best point, or one of the design.

        Without the design, a search that was misled would have to find out by the model that misled it.
        """
        if self.earlier is None or k >= _FADING * self.n_earlier:
            return None
        if not self._is_taken(self.earlier.X[0], taken):
            return self.earlier.X[0]
        return self._design.points(k // 4, 1)[0] if k % 4 == 3 else None

    def _is_new(self, X: np.ndarray) -> np.ndarray:
        """Mask (n,) of the points of which nothing was told."""
        return np.array([row.tobytes() not in self._seen for row in X], dtype=bool)

    def _split(self) -> tuple[Kernels, Kernels]:
        """Good points and bad ones; among the good those of an earlier search, as long as they count."""
        order, y = self._order, self._sorted_loss
        if self.history.is_budgeted:
            kept = self._is_of_model()[order]
            order, y = order[kept], y[kept]
        good, bad = self._split_of(self.history.X, order, y)
        if self.earlier is None:
            return good, bad
        m = len(self.earlier.X)
        worth = max(0.0, self.n_earlier - len(order) / _FADING)
        earlier, _ = self._split_of(self.earlier.X, np.arange(m), self.earlier.loss)
        return good.joined_with(earlier.times(min(1.0, worth / m))), bad

    def _split_of(self, X: np.ndarray, order: np.ndarray, y: np.ndarray) -> tuple[Kernels, Kernels]:
        """Kernels below and above of the results ``X[order]`` with the ascending losses ``y``."""
        n = int(np.searchsorted(y, np.inf))
        n_below = self._n_below(n)
        n_above = len(order) - n_below
        m_above = min(n_above, self.max_above)
        middles = (2 * np.arange(m_above) + 1) * n_above // (2 * max(m_above, 1))
        w_above = np.full(m_above, n_above / max(m_above, 1))
        below = Kernels(X[order[:n_below]], self._weights_below(y[:n], n_below))
        return below, Kernels(X[order[n_below + middles]], w_above)

    def _weights_below(self, y: np.ndarray, n_below: int) -> np.ndarray:
        """Weights (n_below,) of the good points, 1 in the mean."""
        w = np.ones(n_below)
        if self.weights == "rank" and n_below:
            w = math.log(n_below + 0.5) - np.log(np.arange(1, n_below + 1))
        elif self.weights == "improvement" and 0 < n_below < len(y):
            # y* - y_i makes l the density of the improvement (Watanabe 2023, section 3.2).
            with np.errstate(over="ignore"):
                improvement = y[n_below] - y[:n_below]
                if 0 < improvement.mean() < math.inf:
                    w = improvement
        return w / w.mean() if n_below else w

    def _n_below(self, n: int) -> int:
        """How many of n losses are good."""
        return min(math.ceil(self.gamma * n), self.max_below)

    def _is_of_model(self) -> np.ndarray:
        """Mask (n,) of the evaluations at the largest resource with d + 2 successes, and of all failures.

        Before there is such a resource it is the one with the most successes. [1], section 3.2.
        """
        if not self._n_successes:
            return np.ones(len(self.history), dtype=bool)
        levels = sorted(self._n_successes)
        enough = [level for level in levels if self._n_successes[level] >= self.space.d + 2]
        level = enough[-1] if enough else max(levels, key=self._n_successes.__getitem__)
        return (self.history.resource == level) | ~self.history.succeeded

    def _estimator(self, kernels: Kernels, sigma: np.ndarray) -> ParzenEstimator:
        return estimator_of(self.space, kernels, sigma, self.prior_weight)

    def _best_candidate(
        self,
        below: ParzenEstimator,
        above: ParzenEstimator,
        taken: set[bytes],
        rng: np.random.Generator,
    ) -> np.ndarray:
        """The candidate (d,) with the largest log l - log g that was not seen, if there is one."""
        candidates = self._candidates(below, rng)
        order = np.argsort(above.log_density(candidates) - below.log_density(candidates), kind="stable")
        for i in order:
            if not self._is_taken(candidates[i], taken):
                return candidates[i]
        return candidates[order[0]]

    def _candidates(self, below: ParzenEstimator, rng: np.random.Generator) -> np.ndarray:
        """Canonical points (n_ei_candidates, d) that may be proposed."""
        return below.sample(self.n_ei_candidates, rng)
