"""What the tests of the journal's file share."""

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from skhpo._records import Began, Ended, Evaluation, FailedScore, Job, Trial
from skhpo.journal import SQLiteJournal

ROOT = Path(__file__).parents[2]

PRELUDE = f"""
import sys, types
# The journal without all that the package imports, which takes seconds.
package = types.ModuleType("skhpo")
package.__path__ = [{str(ROOT / "skhpo")!r}]
sys.modules["skhpo"] = package
"""

ABOUT = {
    "search": "TPESearchCV",
    "estimator": "SVC()",
    "n_candidates": 4,
    "n_jobs": 4,
    "n_folds": 2,
    "metric": None,
    "parameters": ["C", "kernel"],
    "max_resources": None,
    "timeout": None,
    "n_workers": 2,
}


def outcome(score, **more):
    return {
        "test_scores": score,
        "fit_time": 0.25,
        "score_time": 0.125,
        "n_test_samples": 30,
        "fit_error": None,
        **more,
    }


def began(number):
    return Began(Job(number), Trial(number, (0.125 * number, 0.5), {"C": 2.0**number, "kernel": "rbf"}))


EVENTS = (
    began(0),
    Evaluation(Job(0), 0, outcome(0.5)),
    began(1),
    Evaluation(Job(0), 1, outcome(0.75)),
    Evaluation(Job(1), 1, outcome(FailedScore("nan"), fit_error="Traceback\nValueError: no")),
    Evaluation(Job(1), 0, outcome(1.0)),
    began(2),
    Evaluation(Job(2), 0, outcome(0.7)),
    Ended("stop"),
)


def bare(event):
    """An event as it comes back: without parameters, and comparable where NaN is in it."""
    if isinstance(event, Began) and event.trial is not None:
        event = Began(event.job, Trial(event.trial.number, event.trial.position, {}))
    return repr(event), [type(value) for value in getattr(event, "outcome", {}).values()]


@pytest.fixture
def events():
    return EVENTS


@pytest.fixture
def about():
    return dict(ABOUT)


@pytest.fixture
def make():
    """Write a journal of the events, closed or not."""

    def make(path, events=EVENTS, about=ABOUT):
        with SQLiteJournal(path) as journal:
            journal.identify(7, {"data": "blake2b:00", "versions": "'skhpo 0.1'"}, dict(about))
            for event in events:
                journal.append(event)
        return path

    return make


@pytest.fixture
def past():
    """What a journal gives back."""

    def past(path):
        with SQLiteJournal(path) as journal:
            return [bare(event) for event in journal.past]

    return past


@pytest.fixture
def written():
    return [bare(event) for event in EVENTS]


@pytest.fixture
def execute():
    """Change a journal behind its back."""

    def execute(path, *statements):
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            for statement in statements:
                connection.execute(*(statement if isinstance(statement, tuple) else (statement,)))

    return execute


@pytest.fixture
def start():
    """Start a Python program in a process of its own, which is killed with the test."""
    started = []

    def start(program, *arguments):
        process = subprocess.Popen(
            [sys.executable, "-u", "-c", PRELUDE + program, *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()
