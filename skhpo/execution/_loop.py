"""The loop: the one place where scheduler, sampler, executor and journal meet."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from skhpo._records import Evaluation, Job
from skhpo.evaluation import CrossValidation, Objective
from skhpo.execution._course import Course, Task
from skhpo.execution._executors import Executor, TaskLost
from skhpo.execution._proposals import Proposals
from skhpo.execution._racing import FoldRace
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
    watch: Callable[[Progress], None] | None = None,
    race: FoldRace | None = None,
) -> None:
    """Work until the scheduler, the space or the stopping rule ends the search.

    No worker waits for another: whenever one is free it gets the next task of a job that began, else the
    first of a new job, chosen with every result in that there is; where that takes time, the folds of a
    candidate that began are handed over ahead. Jobs that began are finished, and
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
        What stands in it already is not done again. Has the whole outcome when this returns.
    watch : callable, optional
        Called with the progress whenever a task has ended, and the next has begun.
    race : FoldRace, optional
        Who is brought through all folds; by default everyone.
    """
    course = Course(scheduler, proposals, evaluation, objective, journal, race)
    tasks: deque[Task] = deque(course.retrace())
    start = time.monotonic() - journal.elapsed
    n_tasks = journal.n_evaluations
    stopped = course.is_stopped

    def progress() -> Progress:
        return Progress(
            elapsed=time.monotonic() - start,
            n_begun=len(journal.trials),
            n_done=course.n_done,
            best_loss=course.best_loss,
            n_evaluations=journal.n_evaluations,
            n_running=min(executor.n_running, executor.n_workers),
            n_spared=course.n_spared,
        )

    def submit(job: Job, fold: int) -> None:
        nonlocal n_tasks
        executor.submit((job, fold), evaluation.call(journal.trials[job.trial], job, fold, n_tasks))
        n_tasks += 1

    while True:
        while executor.n_running < executor.n_workers:
            if not tasks:
                if not stopped and stop(progress()):
                    stopped = True
                    course.stop()
                tasks.extend(course.next_tasks())
                if not tasks:
                    break
            submit(*tasks.popleft())
        while tasks and executor.n_running < executor.n_workers + executor.n_ahead:
            submit(*tasks.popleft())
        if watch is not None:
            watch(progress())
        if not executor.n_running:
            return
        (job, fold), retrieve = executor.wait()
        trial, loss = journal.trials[job.trial], None
        try:
            outcome = retrieve()
        except TaskLost as error:
            loss = str(error)
            outcome = evaluation.lost(trial, job, fold, loss)
        except Exception as error:
            # Whatever a model raises goes on to the user as it is, with the one thing it cannot know.
            error.add_note(f"Raised by candidate {trial.number}, {trial.params}, on fold {fold}.")
            raise
        tasks.extendleft(course.take_in(Evaluation(job, fold, outcome)))
        if loss is not None:
            evaluation.warn_of_loss(trial, job, fold, loss)
