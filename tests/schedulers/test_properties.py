"""What holds of every search under Hyperband or ASHA, however its jobs end."""

import math
from collections import Counter, defaultdict
from fractions import Fraction
from itertools import islice, pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from skhpo._records import Job
from skhpo.schedulers import ASHA, Hyperband, hyperband_brackets, resource_ladder
from skhpo.testing._schedulers import drive, random_loss

thorough = settings(deadline=None, max_examples=150)

ladders = st.builds(
    lambda r, times, factor: (resource_ladder(r, r * times, factor), factor),
    st.integers(1, 4),
    st.integers(1, 40),
    st.sampled_from([2, 3, 4, 2.5, 1.5]),
)


@st.composite
def hyperbands(draw):
    """Brackets and their resources."""
    ladder, factor = draw(ladders)
    n_brackets = draw(st.none() | st.integers(1, len(ladder)))
    return hyperband_brackets(ladder, factor, n_brackets, draw(st.none() | st.integers(1, 60)))


@st.composite
def ashas(draw):
    """Arguments of ASHA."""
    ladder, factor = draw(ladders)
    return ladder, factor, draw(st.none() | st.integers(1, 60)), draw(st.integers(1, len(ladder)))


@st.composite
def courses(draw, may_finish=True):
    """What happens in a search that is not the scheduler's choice."""
    return {
        "loss": random_loss(draw(st.integers(0, 10**6)), draw(st.sampled_from([0.0, 0.1, 0.5]))),
        "workers": draw(st.integers(1, 8)),
        "batch": draw(st.integers(1, 3)),
        "n_candidates": draw(st.integers(1, 70)),
        "finish_after": draw(st.just(math.inf) | st.integers(0, 60)) if may_finish else math.inf,
        "seed": draw(st.integers(0, 10**6)),
    }


def moments(log):
    """Each event with what has ended before: {(bracket, rung): {trial: loss}}, and the jobs that run."""
    ended, running = defaultdict(dict), set()
    for event in log:
        yield event, ended, running
        if event.kind == "begin":
            running.add(event.job)
        elif event.kind == "end":
            running.remove(event.job)
            ended[event.job.bracket, event.job.rung][event.trial] = event.loss


def may_be_last_resort(job, ended, running, top):
    results = [loss for (_, rung), losses in ended.items() if rung == top for loss in losses.values()]
    return job.rung == top and not running and not any(map(math.isfinite, results))


def ranking(losses):
    return sorted((trial for trial in losses if math.isfinite(losses[trial])), key=lambda t: (losses[t], t))


def assert_sound(log, ladder):
    begun = [event.job for event in log if event.kind == "begin"]
    last = {}
    for job in begun:
        assert job.resource == ladder[job.rung]
        if job.trial in last:
            assert job.resource > last[job.trial].resource
            assert job.bracket == last[job.trial].bracket
        last[job.trial] = job
    assert len({(job.trial, job.rung) for job in begun}) == len(begun)
    # Everybody retires, and only once.
    assert sorted(event.trial for event in log if event.kind == "retire") == sorted(last)
    # There is a result if anybody could give one.
    outcomes = {event.trial: event for event in log if event.kind == "end"}
    alive = [event for event in outcomes.values() if math.isfinite(event.loss)]
    assert not alive or any(event.job.rung == len(ladder) - 1 for event in alive)


@thorough
@given(hyperbands(), courses())
def test_hyperband_is_sound(brackets, course):
    log = drive(Hyperband(brackets), **course)
    top = brackets[0][-1]
    ladder = {rung.level: rung.resource for bracket in brackets for rung in bracket}
    assert_sound(log, [ladder.get(level) for level in range(top.level + 1)])
    in_rung = Counter()
    for event, ended, running in moments(log):
        if event.kind == "begin" and not may_be_last_resort(event.job, ended, running, top.level):
            in_rung[event.job.bracket, event.job.rung] += 1
    for (b, level), n in in_rung.items():
        assert n <= next(rung.n_trials for rung in brackets[b] if rung.level == level)


@thorough
@given(ashas(), courses())
def test_asha_is_sound(arguments, course):
    ladder, factor, n_trials, _ = arguments
    log = drive(ASHA(*arguments), **course)
    assert_sound(log, ladder)
    assert n_trials is None or len({event.trial for event in log}) <= n_trials
    known = set()
    for event, ended, running in moments(log):
        job = event.job
        if event.kind == "begin" and job.trial in known:
            below = ended[job.bracket, job.rung - 1]
            n_top = len(below) // Fraction(factor)
            assert job.trial in ranking(below)[:n_top] or may_be_last_resort(
                job, ended, running, len(ladder) - 1
            )
        known.add(job.trial)


@thorough
@given(hyperbands(), courses(may_finish=False))
def test_who_goes_on_in_hyperband_does_not_depend_on_the_order(brackets, course):
    log = drive(Hyperband(brackets), **course)
    begun = [event.job for event in log if event.kind == "begin"]
    numbers = iter(range(len({job.trial for job in begun})))
    expected = set()
    for b, bracket in enumerate(brackets):
        trials = list(islice(numbers, bracket[0].n_trials))
        m, n_0 = len(trials), bracket[0].n_trials
        for rung in bracket if trials else ():
            # The best of all that were in the rung below, as many as there are places where m began.
            trials = trials[: max(1, m * rung.n_trials // n_0)]
            jobs = [Job(trial, rung.resource, b, rung.level) for trial in trials]
            expected.update(jobs)
            trials = ranking({job.trial: course["loss"](job) for job in jobs})
    # A last resort comes after all others.
    assert set(begun[: len(expected)]) == expected
    assert all(job.rung == brackets[0][-1].level for job in begun[len(expected) :])


def most_waiting(log, key):
    """How many trials wait at once in a rung, neither running nor retired, when all news is told."""
    waiting, most = set(), 0
    for event in log:
        if event.kind == "end":
            most = max(most, len(waiting))
            if (event.job.bracket, event.job.rung) == key:
                waiting.add(event.trial)
        else:
            waiting.discard(event.trial)
    return most


@thorough
@given(hyperbands(), courses(may_finish=False))
def test_no_more_wait_in_a_rung_of_hyperband_than_there_are_places(brackets, course):
    log = drive(Hyperband(brackets), **course)
    for b, bracket in enumerate(brackets):
        for low, high in pairwise(bracket):
            assert most_waiting(log, (b, low.level)) <= high.n_trials


@thorough
@given(ladders, st.integers(1, 60), courses(may_finish=False))
def test_no_more_wait_in_the_lowest_rung_of_asha_than_can_go_on(ladder_factor, n_trials, course):
    ladder, factor = ladder_factor
    log = drive(ASHA(ladder, factor, n_trials), **course)
    assert most_waiting(log, (0, 0)) <= n_trials // Fraction(factor) or len(ladder) == 1


@thorough
@given(
    st.builds(lambda brackets: lambda: Hyperband(brackets), hyperbands())
    | st.builds(lambda arguments: lambda: ASHA(*arguments), ashas()),
    courses(),
    st.integers(0, 10),
)
def test_where_one_can_succeed_in_full_one_does(make, course, able):
    top = max(event.job.rung for event in drive(make(), random_loss()))

    def loss(job):
        return math.nan if job.rung == top and job.trial != able else random_loss()(job)

    log = drive(make(), **{**course, "loss": loss})
    begun = {event.trial for event in log}
    assert able not in begun or (able, top) in {(e.trial, e.job.rung) for e in log if e.kind == "end"}
