"""Checks that a sampler that claims to learn does."""

from __future__ import annotations

import numpy as np
from scipy import stats

from skhpo.samplers import RandomSampler, Sampler
from skhpo.space import Categorical, Column, Real, Space
from skhpo.testing._drive import reals, require, sphere

_FLAKE_RATE = 0.01
"""Chance that a sampler that does not learn passes a check; seeds are fixed, so a verdict never changes."""


def check_beats_random_search(sampler: Sampler) -> None:
    """The best of 40 evaluations of a sphere off the middle is better than random search's.

    Protects against a model that is turned upside down, or not used at all. One-sided Welch
    test on the logarithm of the best loss, of 8 seeds against 200 of random search: random
    search itself passes with a probability of 1%.
    """
    best = [_best_of_sphere(sampler, seed) for seed in range(8)]
    # Random search need not be told, so its 40 points are asked for at once.
    baseline = [
        np.log10(sphere(RandomSampler().start(reals(2), seed=seed).ask(40)).min())
        for seed in range(1000, 1200)
    ]
    test = stats.ttest_ind(best, baseline, equal_var=False, alternative="less")
    require(
        bool(test.pvalue < _FLAKE_RATE),
        f"Not better than random search: log10 of the best loss is {np.mean(best):.2f} against "
        f"{np.mean(baseline):.2f}, p = {test.pvalue:.3f} (or set learns = False).",
    )


def _best_of_sphere(sampler: Sampler, seed: int) -> float:
    run = sampler.start(reals(2), seed=seed, n_trials=40)
    best = np.inf
    for _ in range(40):
        X = run.ask()
        loss = sphere(X)
        run.tell(X, loss)
        best = min(best, loss[0])
    return float(np.log10(best))


def check_stays_away_from_failures(sampler: Sampler) -> None:
    """Where half of the domain fails, clearly fewer than half of the later proposals lie there.

    Protects users from paying for fits that crash, over and over. The loss does not depend
    on the column that decides about failure, so that a sampler which leaves failures out
    of its model is not drawn away from them by accident. Of the last 20 of 40 proposals of 4 seeds, at
    most 29 may fail: with chances of one half there would be as few with a probability of 1%.
    """
    n_failed = 0
    for seed in range(4):
        run = sampler.start(reals(2), seed=seed, n_trials=40)
        for i in range(40):
            X = run.ask()
            fails = X[0, 0] > 0.5
            run.tell(X, np.array([np.nan if fails else (X[0, 1] - 0.3) ** 2]))
            n_failed += int(fails and i >= 20)
    allowed = int(stats.binom.ppf(_FLAKE_RATE, 80, 0.5)) - 1
    require(
        n_failed <= allowed,
        f"{n_failed} of 80 proposals lie in the half of the domain that always fails, at most {allowed} may.",
    )


def check_prefers_the_better_choice(sampler: Sampler) -> None:
    """Of three choices, the one that is always best is proposed more often than one time in three.

    Protects categorical columns, which a sphere does not test. Of the last 20 of 40 proposals of 4
    seeds, at least 38 must have it: with chances of a third there would be as many with a probability of 1%.
    """
    space = Space([Column("c", Categorical(list("abc"))), Column("x", Real(0.0, 1.0))])
    n_best = 0
    for seed in range(4):
        run = sampler.start(space, seed=seed, n_trials=40)
        for i in range(40):
            X = run.ask()
            is_best = space.to_params(X[0])["c"] == "b"
            run.tell(X, (X[:, 1] - 0.3) ** 2 + (0.0 if is_best else 1.0))
            n_best += int(is_best and i >= 20)
    needed = int(stats.binom.isf(_FLAKE_RATE, 80, 1 / 3)) + 1
    require(n_best >= needed, f"{n_best} of 80 proposals have the best choice, at least {needed} must.")


def check_learns_under_halving(sampler: Sampler) -> None:
    """Two brackets of successive halving end better than with random search.

    Protects budgeted searches, in which most results are from small resources, where losses are worse by
    ten. One-sided Welch test on the logarithm of the best full loss, of 8 seeds against 200 of random search:
    random search itself passes with a probability of 1%.
    """
    best = [_best_of_halving(sampler, seed) for seed in range(8)]
    baseline = [_best_of_halving(RandomSampler(), seed) for seed in range(1000, 1200)]
    test = stats.ttest_ind(best, baseline, equal_var=False, alternative="less")
    require(
        bool(test.pvalue < _FLAKE_RATE),
        f"Not better than random search under halving: log10 of the best full loss is {np.mean(best):.2f} "
        f"against {np.mean(baseline):.2f}, p = {test.pvalue:.3f} (or set learns = False).",
    )


def _best_of_halving(sampler: Sampler, seed: int) -> float:
    run = sampler.start(reals(2), seed=seed)
    best = np.inf
    for n_trials, resources in ((27, (1 / 9, 1 / 3, 1.0)), (12, (1 / 3, 1.0))):
        X, loss = np.empty((0, 2)), np.empty(0)
        for _ in range(n_trials):
            x = run.ask()
            X, loss = np.concatenate([X, x]), np.append(loss, sphere(x))
            run.tell(x, 10 + loss[-1:], resources[0])
        for resource in resources[1:]:
            kept = np.argsort(loss)[: len(loss) // 3]
            X, loss = X[kept], loss[kept]
            for x, value in zip(X, loss, strict=True):
                run.tell(x[None], np.array([value + 10 * (resource < 1)]), resource)
        best = min(best, loss.min())
    return float(np.log10(best))


def check_larger_resources_prevail(sampler: Sampler) -> None:
    """Where the full resource contradicts a small one about the same points, it is believed.

    Protects against a model of all losses in one heap, in which those of a resource on another scale
    win. At a ninth the valley is at 0.8 and ten lower, in full at 0.3. So many of 80 proposals of 4 seeds
    must be nearer to 0.3 that as many random ones are with a probability of 1%.
    """
    n_near = 0
    for seed in range(4):
        run = sampler.start(reals(2), seed=seed)
        X = RandomSampler().start(reals(2), seed=seed).ask(30)
        run.tell(X, sphere(X, centre=0.8) - 10.0, 1 / 9)
        run.tell(X, sphere(X, centre=0.3), 1.0)
        for _ in range(20):
            x = run.ask()
            run.tell(x, sphere(x, centre=0.3))
            n_near += int(x.sum() < 1.1)
    # The line between the two cuts a triangle with legs of 0.9 off the square.
    needed = int(stats.binom.isf(_FLAKE_RATE, 80, 1 - 0.9**2 / 2)) + 1
    require(
        n_near >= needed,
        f"{n_near} of 80 proposals are nearer to the minimum in full than to that at a ninth of the "
        f"resource, at least {needed} must be.",
    )
