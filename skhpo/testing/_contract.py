"""Checks of the contract of ``Sampler``: what goes in, what comes out, and that nothing else happens."""

from __future__ import annotations

import pickle
import random

import numpy as np

from skhpo.samplers import Sampler
from skhpo.space import Categorical, Column, Space
from skhpo.testing._drive import (
    Drive,
    conditional,
    finite,
    mixed,
    random_points,
    reals,
    require,
    require_valid,
    same,
    sphere,
)


def check_points_are_valid(sampler: Sampler) -> None:
    """Points are canonical, active columns only, all different, in the right shape and number.

    Protects the loop, which turns rows into parameters without looking at them.
    """
    for space in (reals(2), mixed(), conditional()):
        drive = Drive(sampler, space)
        for n in drive.steps(16):
            before = drive.pending
            X = drive.ask(n)
            require(len(X) == n, f"{n} points were asked for in a space with plenty, {len(X)} came.")
            require_valid(X, space, n, before)
        require(
            drive.run.n_asked == sum(map(len, drive.asked)),
            f"n_asked is {drive.run.n_asked} after {sum(map(len, drive.asked))} points.",
        )


def check_proposals_are_in_the_cube(sampler: Sampler) -> None:
    """What ``_propose`` returns lies in the unit cube before ``ask`` clips it.

    Protects against a sampler that runs away and, clipped, evaluates corners again and again.
    """
    for space in (reals(2), mixed(), conditional()):
        drive = Drive(sampler, space)
        raw = _record_proposals(drive.run)
        for n in drive.steps(16):
            del raw[:]
            drive.ask(n)
            for X in raw:
                require(X.shape == (n, space.d), f"_propose({n}, ...) returned shape {X.shape}.")
                U = X[space.active(X)]
                require(np.isfinite(U).all(), f"_propose left an active column open: {X}")
                require(bool(((U >= 0) & (U <= 1)).all()), f"_propose left the unit cube: {X}")


def check_values_have_their_types(sampler: Sampler) -> None:
    """Points decode to the values the user wrote: int stays int, choices are the very objects.

    Protects estimators that refuse ``3.0`` where they want ``3``.
    """
    types = {"C": float, "n": int, "scale": float, "depth": int, "delta": float}
    choices: dict[str, list[object]] = {
        "kernel": ["rbf", "linear", None],
        "model": ["linear", "forest", "boosting"],
        "loss": ["squared", "huber"],
    }
    for space in (mixed(), conditional()):
        drive = Drive(sampler, space)
        for n in drive.steps(8):
            for point in drive.ask(n):
                for name, value in space.to_params(point).items():
                    if name in types:
                        require(type(value) is types[name], f"{name}={value!r} is a {type(value).__name__}.")
                    else:
                        require(value in choices[name], f"{name}={value!r} is none of {choices[name]}.")


def check_same_seed_same_points(sampler: Sampler) -> None:
    """Two runs with one seed and the same results ask for the same points.

    Protects ``random_state``.
    """
    for space in (reals(2), conditional()):
        first, second = (Drive(sampler, space, seed=3).go(12) for _ in range(2))
        require(all(map(same, first, second)), "Two runs with the same seed asked for different points.")


def check_other_seed_other_points(sampler: Sampler) -> None:
    """Another seed means other points.

    Protects those who repeat a search to see how much of its result is luck.
    """
    first, second = (Drive(sampler, reals(2), seed=seed).go(12) for seed in (3, 4))
    require(
        not any(map(same, first, second)),
        "Runs with different seeds asked for the same points (or set uses_seed = False).",
    )


def check_runs_do_not_meet(sampler: Sampler) -> None:
    """A run is the same whether or not another one of the same sampler goes on beside it.

    Protects against state kept on the class or in an option that copies share, which shows
    when one sampler object serves several searches.
    """
    alone = Drive(sampler, reals(2), seed=3).go(12)
    first, second = Drive(sampler, reals(2), seed=3), Drive(sampler, mixed(), seed=8)
    for n, m in zip(first.steps(12), second.steps(12), strict=True):
        first.ask(n)
        second.ask(m)
    require(all(map(same, alone, first.asked)), "A run was changed by another run of the same sampler.")
    again = first.run.start(reals(2), seed=3, n_trials=60)
    require(same(again.ask(1), alone[0]), "start() on a running sampler did not begin afresh.")


def check_global_random_state_is_untouched(sampler: Sampler) -> None:
    """Neither numpy's nor Python's global generator is drawn from or seeded.

    Protects the rest of the user's program, and determinism.
    """
    before = np.random.get_state(legacy=True), random.getstate()  # noqa: NPY002 - to see that nobody uses it
    Drive(sampler, mixed()).go(12)
    after = np.random.get_state(legacy=True), random.getstate()  # noqa: NPY002 - as above
    require(pickle.dumps(before[0]) == pickle.dumps(after[0]), "numpy's global random state was changed.")
    require(before[1] == after[1], "Python's global random state was changed.")


def check_arguments_are_not_changed(sampler: Sampler) -> None:
    """The user's sampler object and all arrays handed in are as before.

    Protects callers that use them again.
    """
    options = pickle.dumps(sampler)
    space = mixed()
    drive = Drive(sampler, space)
    for n in drive.steps(16):
        pending, before = drive.pending.copy(), drive.pending.copy()
        drive.ask(n)
        drive.run.ask(n, pending)
        require(same(pending, before), "ask changed the array of pending points.")
        X, resource = random_points(space, 3, seed=n), np.array([1.0, 0.5, 1.0])
        loss = np.array([2.0, np.nan, 1.0])
        arguments = [X, loss, resource]
        copies = [argument.copy() for argument in arguments]
        drive.run.tell(X, loss, resource)
        require(all(map(same, arguments, copies)), "tell changed an array that it was given.")
    require(pickle.dumps(sampler) == options, "start, ask or tell changed the sampler they were called from.")


def check_replay_equals_original(sampler: Sampler) -> None:
    """A fresh copy that is told the same results and given ``n_asked`` asks for the same next points.

    Protects the continuation of a search that died. The results may come in one batch or singly;
    what counts is their order.
    """
    for space in (reals(2), conditional()):
        drive = Drive(sampler, space, seed=5)
        for i, n in enumerate(drive.steps(20)):
            pending, n_asked = drive.pending, drive.run.n_asked
            original = drive.ask(n)
            # At every third ask, which is for one point and for three in turns.
            if i % 3:
                continue
            X = np.concatenate([X for X, _ in drive.told] or [np.empty((0, space.d))])
            loss = np.concatenate([loss for _, loss in drive.told] or [np.empty(0)])
            at_once, singly = (sampler.start(space, seed=5, n_trials=60) for _ in range(2))
            if len(X):
                at_once.tell(X, loss)
            for j in range(len(X)):
                singly.tell(X[j : j + 1], loss[j : j + 1])
            for replay, how in ((at_once, "in one batch"), (singly, "one by one")):
                replay.n_asked = n_asked
                again = replay.ask(n, pending)
                require(
                    same(again, original),
                    f"After {i} asks and {len(X)} tells, repeated {how}, a fresh copy asks for\n{again}\n"
                    f"where the original asks for\n{original}",
                )


def check_replay_with_resources(sampler: Sampler) -> None:
    """The same where trials are promoted, that is told again at growing resources, others in between.

    Protects the continuation of a budgeted search that died.
    """
    for space in (reals(2), conditional()):
        run = sampler.start(space, seed=5, n_trials=60)
        told: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        for i in range(16):
            n_asked = run.n_asked
            original = run.ask(2)
            if i % 3 == 2:
                X, loss, resource = (np.concatenate(part) for part in zip(*told, strict=True))
                at_once, singly = (sampler.start(space, seed=5, n_trials=60) for _ in range(2))
                at_once.tell(X, loss, resource)
                for j in range(len(X)):
                    singly.tell(X[j : j + 1], loss[j : j + 1], resource[j])
                for replay, how in ((at_once, "in one batch"), (singly, "one by one")):
                    replay.n_asked = n_asked
                    require(
                        same(replay.ask(2), original),
                        f"After {len(X)} tells at several resources, repeated {how}, a fresh copy asks for "
                        "other points.",
                    )
            promoted = told[i // 2][0][:1] if i else original[:0]
            X = np.concatenate([original, promoted])
            resource = np.append([1 / 9, 1 / 9], np.full(len(promoted), 1 / 3 if i % 2 else 1.0))
            loss = sphere(X) + 1 - resource
            run.tell(X, loss, resource)
            told.append((X, loss, resource))


def check_pickle_in_mid_run(sampler: Sampler) -> None:
    """A pickled and loaded run goes on as the original does.

    Protects ``Optimizer`` objects that are saved between sessions.
    """
    drive = Drive(sampler, conditional(), seed=2)
    original = drive.run
    for i, n in enumerate(drive.steps(16)):
        if i % 4 == 0:
            drive.run = pickle.loads(pickle.dumps(drive.run))
        pending = drive.pending
        X = drive.ask(n)
        require(same(original.ask(n, pending), X), "A pickled run asks for other points.")
        told = len(drive.told)
        drive.tell_some()
        for told_X, loss in drive.told[told:]:
            original.tell(told_X, loss)


def check_finite_space_is_asked_once(sampler: Sampler) -> None:
    """A finite space is asked for in full, each point once, and then no more, with or without pending.

    Protects users of small spaces from paying for the same fits twice, or from waiting for ever.
    """
    space = finite()
    everything = {point.tobytes() for point in space.enumerate()}
    for n in (1, 3):
        drive = Drive(sampler, space)
        asked: list[bytes] = []
        # The user evaluated two points before; they are not to be asked for.
        first = random_points(space, 2, seed=1)
        drive.tell(first, sphere(first))
        told = {row.tobytes() for row in first}
        while len(X := drive.ask(n)):
            require_valid(X, space, n)
            asked += [row.tobytes() for row in X]
            require(len(asked) <= len(everything), "More points were asked for than the space has.")
            drive.tell_some()
        require(len(set(asked)) == len(asked), "A point of a finite space was asked for twice.")
        require(not told & set(asked), "A point that was told was asked for.")
        missing = len(everything - told - set(asked))
        require(not missing, f"{missing} of {len(everything)} points were never asked for.")
        drive.tell(drive.pending, sphere(drive.pending))
        require(len(drive.run.ask(n)) == 0, "A finite space that was told in full still gives points.")


def check_one_point_space(sampler: Sampler) -> None:
    """A space of a single point gives that point and ends.

    Protects dicts like ``{"C": [1.0]}``, which are met while a program is written.
    """
    space = Space([Column("C", Categorical([1.0]))])
    run = sampler.start(space, seed=0)
    X = run.ask(3)
    require(len(X) == 1, f"A space of one point gave {len(X)} points.")
    require_valid(X, space, 1)
    require(len(run.ask(1, X)) == 0, "A space of one point gave it again while it was pending.")
    run.tell(X, np.array([1.0]))
    require(len(run.ask(1)) == 0, "A space of one point gave it again after it was told.")


def check_pending_is_respected(sampler: Sampler) -> None:
    """Points asked for while others are in flight are other points, and not merely by a hair.

    Protects parallel searches: a sampler that ignores what is in flight sends all workers to
    the same place. Judged before ``ask`` moves duplicates apart, on a function of several valleys
    told at too few points to be known: where the optimum is known, points may well be close.
    """
    space = reals(2)
    drive = Drive(sampler, space)
    X = random_points(space, 20, seed=0)
    drive.tell(X, np.cos(11 * X[:, 0]) * np.cos(9 * X[:, 1]))
    raw = _record_proposals(drive.run)
    for _ in range(8):
        drive.ask()
    X = np.concatenate(raw)
    gaps = np.abs(X[:, None] - X[None]).max(axis=2)[np.triu_indices(len(X), 1)]
    require(
        bool(gaps.min() > 1e-4),
        f"Of eight points in flight, two are only {gaps.min():.1g} apart: the pending ones are ignored.\n{X}",
    )


def _record_proposals(run: Sampler) -> list[np.ndarray]:
    """List that will hold what ``_propose`` returns, before ``ask`` has touched it."""
    raw: list[np.ndarray] = []
    propose = run._propose

    def recorded(n: int, pending: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        X = propose(n, pending, rng)
        raw.append(np.array(X))
        return X

    run.__dict__["_propose"] = recorded
    return raw
