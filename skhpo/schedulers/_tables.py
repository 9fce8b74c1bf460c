"""Which resources there are, and how many trials of each bracket come to which of them.

All of it is counted in integers and fractions. ``floor(log(R) / log(eta))`` in floating point is 4 at
R = 243, eta = 3, where it should be 5.

Notation (Li et al. 2018, Algorithm 1; resources need not begin at 1 here)
--------
R, r  : largest and least resource
eta   : reduction factor; a Fraction
s_max : the largest s with r * eta^s <= R; the ladder has s_max + 1 levels
s     : a bracket is named by the number of its promotions, s_max for the most exploratory one
n     : number of trials that begin in a bracket
n_i   : number of trials in its i-th rung, i = 0 .. s

References
----------
Li, Jamieson, DeSalvo, Rostamizadeh, Talwalkar (2018). Hyperband: a novel bandit-based approach to
hyperparameter optimization. Journal of Machine Learning Research 18(185).
"""

from __future__ import annotations

import math
import numbers
import operator
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import TypeAlias

_MAX_STEPS = 1_000
"""Steps of a ladder at most: a factor that needs more is so close to 1 that it is a mistake."""


@dataclass(frozen=True, slots=True)
class Rung:
    """A row of a bracket's table: how many trials are trained to which resource.

    Attributes
    ----------
    n_trials : int
    resource : int
    level : int
        Place of the resource on the whole ladder of resources, from 0.
    """

    n_trials: int
    resource: int
    level: int


Bracket: TypeAlias = tuple[Rung, ...]


def resource_ladder(min_resources: int, max_resources: int, factor: float) -> tuple[int, ...]:
    """Resources at which trials are compared, counted from the largest downwards.

    The levels are floor(R / eta^k), k = s_max .. 0, so that the last step always has its full size and
    what does not divide evenly is lost at the cheap end.

    Parameters
    ----------
    min_resources : int
        r: no level is less than this.
    max_resources : int
        R: the last level.
    factor : int, float or Fraction
        eta, greater than 1. A float counts as the decimal number that is printed for it: 1.1 is 11/10.

    Returns
    -------
    ladder : tuple of int
        Strictly increasing; small factors give some levels twice before they are dropped.

    Raises
    ------
    ValueError
        If ``factor <= 1``, ``min_resources < 1`` or ``min_resources > max_resources``.

    Examples
    --------
    >>> from skhpo.schedulers import resource_ladder
    >>> resource_ladder(1, 243, 3)
    (1, 3, 9, 27, 81, 243)
    >>> resource_ladder(2, 100, 4)
    (6, 25, 100)
    """
    r, R, eta = operator.index(min_resources), operator.index(max_resources), exact_factor(factor)
    if not 1 <= r <= R:
        raise ValueError(
            f"min_resources must be between 1 and max_resources, got {min_resources=}, {max_resources=}."
        )
    levels: dict[int, None] = {}
    resource = Fraction(R)
    for _ in range(_MAX_STEPS):
        # As r is an integer, this is r * eta^k <= R.
        if math.floor(resource) < r:
            return tuple(reversed(levels))
        levels[math.floor(resource)] = None
        resource /= eta
    raise ValueError(
        f"{factor=} makes more than {_MAX_STEPS:,} steps from {max_resources=} down to {min_resources=}: "
        "it must be larger."
    )


def hyperband_brackets(
    ladder: Sequence[int],
    factor: float,
    n_brackets: int | None = None,
    n_trials: int | None = None,
) -> tuple[Bracket, ...]:
    """The brackets of Hyperband, by the formula of Algorithm 1, most exploratory first.

    Bracket s begins n = ceil((s_max + 1) / (s + 1) * eta^s) trials s levels below the top, of which
    floor(n * eta^-i) come to its i-th rung. For R = 81 and eta = 3, that is 81, 34, 15, 8 and 5 trials to
    begin with; the table printed in the paper has 81, 27, 9, 6 and 5, which its algorithm does not
    give. The formula is what is built.

    Parameters
    ----------
    ladder : sequence of int
        Resources, strictly increasing, see ``resource_ladder``.
    factor : int, float or Fraction
        eta, as for the ladder.
    n_brackets : int, optional
        Only so many brackets, the most exploratory ones: 1 is plain successive halving of eta^s_max
        trials. None: all, one for each level.
    n_trials : int, optional
        Number of trials that begin in all brackets together. None: as many as one pass over the
        brackets has.

    Returns
    -------
    brackets : tuple of tuple of Rung
        In the order in which they are to be filled.

    Raises
    ------
    ValueError
        If a number is out of its range or the ladder does not rise.

    Notes
    -----
    Where ``n_trials`` is given, a single bracket grows or shrinks to it: successive halving of that
    many, from the lowest level from which one of them reaches the top by the rule, s being the largest one
    with eta^s <= m. Several brackets are passed over as often as they are filled entirely, and the rest
    makes one smaller pass, in which every bracket has its proportion of trials (largest remainders) and,
    nearly, of units: its rungs are those of a full pass and keep max(1, floor(m * eta^-i)), but for the
    first ones if all of them would be kept. A single trial is trained in full at once. A ladder of one
    level leaves nothing to choose: all trials are trained in full, and without ``n_trials`` Algorithm 1 has
    one.

    Examples
    --------
    >>> from skhpo.schedulers import hyperband_brackets, resource_ladder
    >>> for bracket in hyperband_brackets(resource_ladder(1, 9, 3), 3):
    ...     print([(rung.n_trials, rung.resource) for rung in bracket])
    [(9, 1), (3, 3), (1, 9)]
    [(5, 3), (1, 9)]
    [(3, 9)]
    >>> hyperband_brackets((1, 3, 9), 3, n_brackets=1, n_trials=4)
    ((Rung(n_trials=4, resource=3, level=1), Rung(n_trials=1, resource=9, level=2)),)
    """
    eta, ladder = exact_factor(factor), checked_ladder(ladder)
    n_kept = len(ladder) if n_brackets is None else operator.index(n_brackets)
    if not 1 <= n_kept <= len(ladder):
        raise ValueError(
            f"n_brackets must be between 1 and the number of levels, {len(ladder)}, got {n_brackets}."
        )
    if n_trials is not None and operator.index(n_trials) < 1:
        raise ValueError(f"n_trials must be at least 1, got {n_trials}.")
    n_starts = bracket_starts(len(ladder), eta)[:n_kept]
    if n_trials is None:
        sizes = n_starts
    elif n_kept == 1:
        sizes = [n_trials]
    else:
        n_passes, n_rest = divmod(n_trials, sum(n_starts))
        sizes = n_starts * n_passes + largest_remainders(n_rest, n_starts)
    make = _halving_run if n_kept == 1 else _part_of_pass
    return tuple(make(ladder, eta, i % n_kept, m) for i, m in enumerate(sizes) if m)


def bracket_units(bracket: Sequence[Rung], *, from_scratch: bool = False) -> int:
    """Units of resource that a bracket trains, on one fold.

    Parameters
    ----------
    bracket : sequence of Rung
    from_scratch : bool, default=False
        Whether a trial that is promoted is trained again from nothing. If not, it goes on from where it
        stopped, and costs the increment.

    Returns
    -------
    units : int

    Examples
    --------
    >>> from skhpo.schedulers import bracket_units, hyperband_brackets, resource_ladder
    >>> brackets = hyperband_brackets(resource_ladder(1, 81, 3), 3)
    >>> sum(bracket_units(bracket) for bracket in brackets)
    1581
    >>> sum(bracket_units(bracket, from_scratch=True) for bracket in brackets)
    1902
    """
    units = sum(rung.n_trials * rung.resource for rung in bracket)
    if not from_scratch:
        units -= sum(above.n_trials * rung.resource for rung, above in pairwise(bracket))
    return units


def exact_factor(factor: float) -> Fraction:
    """The reduction factor as the number that its user wrote."""
    if isinstance(factor, numbers.Rational):
        eta = Fraction(factor.numerator, factor.denominator)
    elif isinstance(factor, numbers.Real):
        if not math.isfinite(factor):
            raise ValueError(f"factor must be finite, got {factor!r}.")
        # A binary 1.1 is slightly more than 1.1, and 100 * 1.1^2 would not reach 121.
        eta = Fraction(repr(float(factor)))
    else:
        raise TypeError(f"factor must be a number, got {factor!r}.")
    if eta <= 1:
        raise ValueError(f"factor must be greater than 1, got {factor!r}.")
    return eta


def checked_ladder(ladder: Sequence[int]) -> tuple[int, ...]:
    """A ladder that rises from 1 or more, or an error."""
    levels = tuple(map(operator.index, ladder))
    if not levels or levels[0] < 1 or any(low >= high for low, high in pairwise(levels)):
        raise ValueError(f"ladder must be strictly increasing resources of at least 1, got {ladder!r}.")
    return levels


def bracket_starts(n_levels: int, eta: Fraction) -> list[int]:
    """Number of trials that begin in each bracket, most exploratory first."""
    s_max = n_levels - 1
    # Algorithm 1, line 3, with B = (s_max + 1) R.
    return [math.ceil(Fraction(s_max + 1, s + 1) * eta**s) for s in range(s_max, -1, -1)]


def largest_remainders(n: int, weights: Sequence[int]) -> list[int]:
    """Whole numbers with sum n in proportion to weights; of equal remainders the first is rounded up."""
    total = sum(weights)
    shares = [n * weight // total for weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda i: -(n * weights[i] % total))
    for i in by_remainder[: n - sum(shares)]:
        shares[i] += 1
    return shares


def _halving_run(ladder: tuple[int, ...], eta: Fraction, lowest: int, m: int) -> Bracket:
    """The table of m trials that begin at a level, or above where they are too few to halve from there."""
    s = len(ladder) - 1 - lowest
    while eta**s > m:
        s -= 1
    return _part_of_pass(ladder, eta, len(ladder) - 1 - s, m)


def _part_of_pass(ladder: tuple[int, ...], eta: Fraction, lowest: int, m: int) -> Bracket:
    """The table of m trials that begin at a level, one of whom at least is kept to the end."""
    levels = range(lowest, len(ladder))
    # Algorithm 1, line 5, where it leaves one.
    rungs = [Rung(max(1, math.floor(m / eta**i)), ladder[k], k) for i, k in enumerate(levels)]
    while len(rungs) > 1 and rungs[1].n_trials == m:
        del rungs[0]
    return tuple(rungs)
