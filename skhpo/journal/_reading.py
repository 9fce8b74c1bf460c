"""What a journal tells a reader, while its search runs or long after."""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from math import isfinite
from statistics import fmean
from typing import Any

from skhpo._records import Began, Ended, Evaluation, Event, FailedScore, Job
from skhpo.journal._codec import decode, loads
from skhpo.journal._faults import damaged
from skhpo.journal._file import Record, check_path, read_records
from skhpo.journal._lock import is_locked


def read(path: str | os.PathLike[str]) -> dict[str, list[Any]]:
    """All finished tasks of a search, as a table.

    A search may be writing meanwhile; the file and its directory are left as they are.

    Parameters
    ----------
    path : str or os.PathLike
        A journal, as the ``storage`` of a search names it.

    Returns
    -------
    columns : dict of str to list
        One entry for each task in the order in which they finished, ready for ``pandas.DataFrame``:
        ``candidate``, ``fold``, ``resource``, ``bracket``, ``rung``; ``test_score``, or ``test_<metric>``
        of several metrics, and ``train_...`` where these were asked for; ``fit_time`` and ``score_time``
        in seconds; ``failed``, and ``error``, the traceback of a fit that failed; ``elapsed``, the seconds
        that the search had run, and ``finished_at``, UTC in ISO format; ``param_<name>`` for each
        parameter, as text where it is neither number, text, boolean nor None. None stands for what a
        row does not have.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is no journal, is damaged, or is of a newer format.
    OSError
        If it cannot be read.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from skhpo._records import Began, Evaluation, Job, Trial
    >>> from skhpo.journal import SQLiteJournal, read
    >>> with tempfile.TemporaryDirectory() as directory:
    ...     path = Path(directory) / "search.db"
    ...     with SQLiteJournal(path) as journal:
    ...         journal.identify(seed=0, fingerprint={}, about={"parameters": ["C"]})
    ...         journal.append(Began(Job(0), Trial(0, (0.5,), {"C": 1.0})))
    ...         outcome = {"test_scores": 0.75, "fit_time": 0.1, "score_time": 0.1, "fit_error": None}
    ...         journal.append(Evaluation(Job(0), 0, outcome))
    ...     table = read(path)
    >>> table["candidate"], table["param_C"], table["test_score"]
    ([0], [1.0], [0.75])
    """
    history = _History(check_path(path))
    tasks = [(event, record) for event, record in history if isinstance(event, Evaluation)]
    rows = [
        {
            "candidate": task.job.trial,
            "fold": task.fold,
            "resource": task.job.resource,
            "bracket": task.job.bracket,
            "rung": task.job.rung,
            "fit_time": task.outcome.get("fit_time"),
            "score_time": task.outcome.get("score_time"),
            "failed": _has_failed(task.outcome),
            "error": task.outcome.get("fit_error"),
            "elapsed": record.elapsed,
            "finished_at": _iso(record.time),
        }
        for task, record in tasks
    ]
    columns = {name: [row[name] for row in rows] for name in rows[0]} if rows else {}
    outcomes = [task.outcome for task, _ in tasks]
    scores = _score_columns(outcomes, "test") | _score_columns(outcomes, "train")
    params = {
        f"param_{name}": [history.params.get(task.job.trial, {}).get(name) for task, _ in tasks]
        for name in history.parameter_names()
    }
    ordered = {name: columns.get(name, []) for name in ("candidate", "fold", "resource", "bracket", "rung")}
    return {**ordered, **scores, **columns, **params}


def _score_columns(outcomes: list[dict[str, Any]], kind: str) -> dict[str, list[Any]]:
    """Columns of the test or the train scores; a failure counts for every metric."""
    values = [outcome.get(f"{kind}_scores") for outcome in outcomes]
    metrics = dict.fromkeys(name for value in values if isinstance(value, dict) for name in value)
    if metrics:
        return {
            f"{kind}_{name}": [_plain(v.get(name) if isinstance(v, dict) else v) for v in values]
            for name in metrics
        }
    if all(value is None for value in values):
        return {}
    return {f"{kind}_score": [_plain(value) for value in values]}


def _plain(score: Any) -> Any:
    return float(score) if isinstance(score, FailedScore) else score


def _iso(moment: float) -> str:
    try:
        return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds")
    except (ValueError, OverflowError, OSError):
        # The clock of another machine may have been anything.
        return ""


def _scores(outcome: dict[str, Any]) -> list[Any]:
    scores = outcome["test_scores"]
    return list(scores.values()) if isinstance(scores, dict) else [scores]


def _has_failed(outcome: dict[str, Any]) -> bool:
    return outcome.get("fit_error") is not None or any(
        isinstance(score, FailedScore) for score in _scores(outcome)
    )


class _History:
    """The events of a journal with their records, and what stands in it beside them."""

    def __init__(self, path: str) -> None:
        self.records = read_records(path)
        self.about: dict[str, Any] = {}
        self.params: dict[int, dict[str, Any]] = {}
        self._events: list[tuple[Event, Record]] = []
        for record in self.records:
            try:
                if record.kind in ("header", "about"):
                    body = loads(record.payload)
                    self.about = dict(body["about"] if record.kind == "header" else body)
                    continue
                event, params = decode(record.kind, record.payload)
            except (ValueError, TypeError, KeyError) as error:
                raise damaged(path, f"record {record.seq}: {error}") from error
            self._events.append((event, record))
            if isinstance(event, Began) and event.trial is not None:
                self.params[event.trial.number] = params

    def __iter__(self) -> Iterator[tuple[Event, Record]]:
        return iter(self._events)

    def parameter_names(self) -> list[str]:
        """In the order of the search's own list, and any that it does not name after these."""
        listed = self.about.get("parameters")
        names = [str(name) for name in listed] if isinstance(listed, list) else []
        seen: Iterable[str] = (str(name) for params in self.params.values() for name in params)
        return list(dict.fromkeys([*names, *seen]))


@dataclass(frozen=True)
class State:
    """How far a search has come.

    Attributes
    ----------
    about : dict
        What the search said of itself.
    running : bool
        Whether it is writing to its journal now.
    complete : bool
        Whether it came to its own end.
    n_candidates : int
        Candidates that began.
    n_candidates_done : int
        Candidates none of whose tasks are open.
    n_tasks_done : int
    n_tasks_open : int
        Tasks of jobs that began, which are not finished: at work, waiting, or lost with their search.
    n_tasks : int or None
        How many there will be at most, if that is known.
    n_failures : int
        Finished tasks that failed.
    best : Best or None
        None as long as no job is complete without a failure.
    elapsed : float
        Seconds that the search ran, the present moment included.
    left : float or None
        Seconds that it will still take if it goes on as it did; None if nobody can know.
    silent : float
        Seconds since the last record.
    """

    about: dict[str, Any]
    running: bool
    complete: bool
    n_candidates: int
    n_candidates_done: int
    n_tasks_done: int
    n_tasks_open: int
    n_tasks: int | None
    n_failures: int
    best: Best | None
    elapsed: float
    left: float | None
    silent: float


@dataclass(frozen=True)
class Best:
    """The candidate of the highest mean score at the largest resource that was reached.

    Attributes
    ----------
    candidate : int
    resource : int or None
    score : float
        Mean over the folds; greater is better.
    params : dict
        As they are displayed.
    """

    candidate: int
    resource: int | None
    score: float
    params: dict[str, Any]


def look(path: str | os.PathLike[str]) -> State:
    """How far the search of a journal has come.

    Parameters
    ----------
    path : str or os.PathLike

    Returns
    -------
    state : State

    Raises
    ------
    FileNotFoundError, ValueError, OSError
        As by ``read``.
    """
    path = check_path(path)
    # Asked first: a search that ends in between is shown as running, and not its last records as lost.
    running = is_locked(path)
    history = _History(path)
    about, last = history.about, history.records[-1]
    outcomes: defaultdict[Job, dict[int, dict[str, Any]]] = defaultdict(dict)
    exhausted = ended = False
    for event, _ in history:
        if isinstance(event, Began):
            outcomes[event.job] = {}
        elif isinstance(event, Evaluation):
            outcomes[event.job][event.fold] = event.outcome
        elif isinstance(event, Ended):
            # An exhausted space stays so; a process that took the search over goes on after a stop.
            exhausted |= event.by == "space"
            ended = exhausted or event.by == "stop"

    n_folds = _whole(about.get("n_folds")) or max((len(folds) for folds in outcomes.values()), default=0)
    n_jobs = _whole(about.get("n_jobs"))
    n_done = sum(map(len, outcomes.values()))
    n_open = n_folds * len(outcomes) - n_done
    done = {job: list(folds.values()) for job, folds in outcomes.items() if len(folds) >= n_folds}
    at_work = {job.trial for job in outcomes.keys() - done.keys()}
    silent = max(0.0, time.time() - last.time)
    elapsed = last.elapsed + (silent if running else 0.0)
    n_tasks = None if n_jobs is None else n_jobs * n_folds
    return State(
        about=about,
        running=running,
        complete=not running and n_open <= 0 and (ended or (n_jobs is not None and len(done) >= n_jobs)),
        n_candidates=len(history.params),
        n_candidates_done=len(history.params.keys() - at_work),
        n_tasks_done=n_done,
        n_tasks_open=max(0, n_open),
        n_tasks=n_tasks,
        n_failures=sum(_has_failed(o) for folds in outcomes.values() for o in folds.values()),
        best=_best(done, history.params, about.get("metric")),
        elapsed=elapsed,
        left=_left(elapsed, n_done, n_tasks, n_open if ended else None, about.get("timeout")),
        silent=silent,
    )


def _whole(value: Any) -> int | None:
    return value if type(value) is int and value > 0 else None


def _best(
    done: dict[Job, list[dict[str, Any]]], params: dict[int, dict[str, Any]], metric: Any
) -> Best | None:
    means: dict[Job, float] = {}
    for job, outcomes in done.items():
        scores = [_score(outcome, metric) for outcome in outcomes]
        if scores and all(score is not None for score in scores):
            means[job] = fmean(score for score in scores if score is not None)
    if not means:
        return None
    largest = max(_length(job) for job in means)
    best = max((job for job in means if _length(job) == largest), key=lambda job: means[job])
    return Best(best.trial, best.resource, means[best], params.get(best.trial, {}))


def _length(job: Job) -> float:
    return float("inf") if job.resource is None else job.resource


def _score(outcome: dict[str, Any], metric: Any) -> float | None:
    """The score that counts; None where there is none to compare."""
    scores = outcome["test_scores"]
    if isinstance(scores, dict):
        score = scores.get(metric) if metric is not None else next(iter(scores.values()), None)
    else:
        score = scores
    if score is None or isinstance(score, FailedScore) or not isfinite(score):
        return None
    return float(score)


def _left(elapsed: float, n_done: int, n_tasks: int | None, n_owed: int | None, timeout: Any) -> float | None:
    """Seconds to go at the mean rate so far, but not beyond the search's own limit of time."""
    estimates = []
    n_left = n_owed if n_owed is not None else None if n_tasks is None else n_tasks - n_done
    if n_left is not None and n_done:
        estimates.append(elapsed / n_done * max(0, n_left))
    if isinstance(timeout, int | float) and n_owed is None:
        estimates.append(max(0.0, timeout - elapsed))
    return min(estimates, default=None)
