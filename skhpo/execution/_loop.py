"""The loop: the one place where scheduler, sampler, executor and journal meet."""

from __future__ import annotations

import math
import time
from collections import deque

from skhpo._records import Evaluation, Job
from skhpo.evaluation import CrossValidation, Objective
from skhpo.execution._executors import Executor
from skhpo.execution._proposals import Proposals
from skhpo.execution._stopping import Progress, StoppingRule
from skhpo.journal import MemoryJournal
from skhpo.schedulers import Scheduler


def run(
    *,
    scheduler: Scheduler,
    proposals: Proposals,
    evaluation: CrossValidation,
    objective: Objective,
    executor: Executor,
    stop: StoppingRule,
    journal: MemoryJournal,
) -> None:
    """Work until the scheduler, the space or the stopping rule ends the search.

    No worker waits for another: whenever one is free it gets the next task of a job that began, else the
    first of a new job, chosen with every result in that there is. Jobs that began are finished, and
    where the stopping rule ends the search, the scheduler still gets what it needs for a result.

    Parameters
    ----------
    scheduler : Scheduler
    proposals : Proposals
    evaluation : CrossValidation
    objective : Objective
    executor : Executor
    stop : StoppingRule
    journal : MemoryJournal
        Has the whole outcome when this returns.
    """
    tasks: deque[tuple[Job, int]] = deque()
    start = time.monotonic()
    n_tasks, n_done, best_loss = 0, 0, math.inf
    stopped = False
    while True:
        while executor.n_running < executor.n_workers:
            if not tasks:
                progress = Progress(time.monotonic() - start, len(journal.trials), n_done, best_loss)
                if not stopped and stop(progress):
                    stopped = True
                    scheduler.finish()
                tasks.extend(_next_tasks(scheduler, proposals, journal, evaluation.n_folds))
                if not tasks:
                    break
            job, fold = tasks.popleft()
            executor.submit((job, fold), evaluation.call(journal.trials[job.trial], job, fold, n_tasks))
            n_tasks += 1
        if not executor.n_running:
            return
        (job, fold), retrieve = executor.wait()
        trial = journal.trials[job.trial]
        try:
            outcome = retrieve()
        except Exception as error:
            # Whatever a model raises goes on to the user as it is, with the one thing it cannot know.
            error.add_note(f"Raised by candidate {trial.number}, {trial.params}, on fold {fold}.")
            raise
        journal.append(Evaluation(job, fold, outcome))
        outcomes = journal.outcomes(job)
        if len(outcomes) == evaluation.n_folds:
            loss = -objective(outcomes)  # The only change of sign: scores outside, losses inside.
            n_done, best_loss = n_done + 1, min(best_loss, loss if math.isfinite(loss) else math.inf)
            scheduler.report(job, loss)
            proposals.learn(job, trial, loss, evaluation.fraction(job))
            for retired in scheduler.take_retired():
                evaluation.forget(retired)


def _next_tasks(
    scheduler: Scheduler, proposals: Proposals, journal: MemoryJournal, n_folds: int
) -> list[tuple[Job, int]]:
    """The tasks of the next job; none when nothing may start before more is reported, or ever."""
    tasks: list[tuple[Job, int]] = []
    for job in scheduler.next_jobs(1):
        trial = journal.trials.get(job.trial)
        if trial is None:
            trial = proposals.next_trial(job.trial)
            if trial is None:
                # Trials that began may still be owed work, which a closed scheduler goes on to give.
                scheduler.close()
                return tasks + _next_tasks(scheduler, proposals, journal, n_folds)
            journal.begin(trial)
        proposals.begin(job, trial)
        tasks += [(job, fold) for fold in range(n_folds)]
    return tasks
