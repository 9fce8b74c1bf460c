"""Searches that are killed at random moments and continued: ``killed_searches.py KIND MOMENTS SEED``.

A program and no test module: it forks, which a process with threads must not, and pays for its imports
once. It ends with an error where a continued search is not the one that was never killed.
"""

import hashlib
import os
import pickle
import random
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from functools import partial
from pathlib import Path

import numpy as np
from sklearn.datasets import load_iris
from sklearn.metrics import accuracy_score
from sklearn.svm import SVC

from skhpo import ASHASearchCV, BayesSearchCV, CMAESSearchCV, HyperbandSearchCV, TPESearchCV
from skhpo.journal import read

SPACE = {"C": (1e-2, 1e2, "log-uniform"), "gamma": (1e-3, 1e1, "log-uniform"), "kernel": ["rbf", "poly"]}
LENGTHS = ("n_estimators", "max_epochs")


class Logged:
    """Accuracy that leaves a line for each task: a task is scored once whenever it is run."""

    def __init__(self, path, searched):
        self.path, self.searched = path, searched

    def __call__(self, estimator, X, y):
        params = estimator.get_params(deep=False)
        told = [(name, params[name]) for name in (*self.searched, *LENGTHS) if name in params]
        fold = hashlib.md5(np.ascontiguousarray(X).tobytes()).hexdigest()[:8]
        with open(self.path, "a") as file:
            file.write(f"{told} {fold}\n")
        return accuracy_score(y, estimator.predict(X))


def full(search_class, n_iter):
    def make(**options):
        return search_class(SVC(), SPACE, n_iter=n_iter, cv=3, random_state=0, **options), load_iris(
            return_X_y=True
        )

    return make, list(SPACE)


def hyperband():
    import lightgbm

    space = {"learning_rate": (0.01, 0.5, "log-uniform"), "num_leaves": (2, 31)}

    def make(**options):
        model = lightgbm.LGBMClassifier(n_estimators=9, n_jobs=1, verbose=-1, min_child_samples=2)
        return HyperbandSearchCV(model, space, cv=2, random_state=0, **options), load_iris(return_X_y=True)

    return make, list(space)


def asha():
    import torch
    from skorch import NeuralNetClassifier

    torch.set_num_threads(1)
    space = {"lr": (1e-3, 1.0, "log-uniform"), "batch_size": [16, 32, 64]}

    def layers():
        hidden = torch.nn.Linear(4, 8)
        return torch.nn.Sequential(hidden, torch.nn.ReLU(), torch.nn.Linear(8, 3), torch.nn.Softmax(-1))

    def make(**options):
        net = NeuralNetClassifier(layers, max_epochs=9, train_split=None, verbose=0)
        X, y = load_iris(return_X_y=True)
        search = ASHASearchCV(net, space, n_iter=9, cv=2, sampler="tpe", random_state=0, **options)
        return search, (X.astype(np.float32), y)

    return make, list(space)


KINDS = {
    "tpe": lambda: full(TPESearchCV, 40),
    "gp": lambda: full(BayesSearchCV, 25),
    "cmaes": lambda: full(CMAESSearchCV, 60),
    "hyperband": hyperband,
    "asha": asha,
}


def run(make, folder, searched, storage=True):
    """One process' work: the search, its table left in a file."""
    warnings.simplefilter("ignore")
    scoring = Logged(folder / "log", searched)
    options = {"storage": folder / "search.db"} if storage else {}
    search, (X, y) = make(scoring=scoring, refit=False, **options)
    search.fit(X, y)
    table = {name: column for name, column in search.cv_results_.items() if "time" not in name}
    (folder / "table").write_bytes(pickle.dumps(table))


def in_child(work, kill_when=None):
    """Run in a forked process, killed at a moment that a function waits for; whether it came to its end."""
    pid = os.fork()
    if pid == 0:
        try:
            work()
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    if kill_when is not None:
        kill_when()
        os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    if status != 0 and not (kill_when is not None and os.WIFSIGNALED(status)):
        raise SystemExit(f"a search failed with status {status}")
    return status == 0


def moment(folder, draw, n_tasks):
    """Wait until a random number of further tasks is done, and then a random moment longer."""
    n, pause = len(lines(folder)) + draw.randrange(n_tasks // 2), draw.uniform(0, 0.01)
    while len(lines(folder)) < min(n, n_tasks - 1):
        time.sleep(0.001)
    time.sleep(pause)


def finished(journal):
    """How many tasks a killed search has written down."""
    try:
        return len(read(journal)["fold"])
    except FileNotFoundError:
        return 0
    except ValueError as error:
        # It may not even have come to its first record.
        if "empty" in str(error):
            return 0
        raise


def lines(folder):
    path = folder / "log"
    return path.read_text().splitlines() if path.exists() else []


def check_moment(make, searched, folder, draw, expected, n_tasks):
    """Kill a search, continue it, and compare with what was expected; how many tasks had been finished."""
    folder.mkdir()
    work = partial(run, make, folder, searched)
    for _ in range(draw.choice([1, 1, 3])):
        in_child(work, partial(moment, folder, draw, n_tasks.total()))
    n_finished, before = finished(folder / "search.db"), len(lines(folder))
    in_child(work)
    n_run = len(lines(folder)) - before
    if (folder / "table").read_bytes() != expected:
        raise SystemExit("another table than that of the search never killed")
    if n_finished + n_run != n_tasks.total():
        raise SystemExit(f"{n_finished} tasks were finished and {n_run} were run, of {n_tasks.total()}")
    if set(lines(folder)) != set(n_tasks):
        raise SystemExit("other tasks than those of the search never killed")
    return n_finished


def main(kind, n_moments, seed):
    make, searched = KINDS[kind]()
    draw = random.Random(seed)
    with tempfile.TemporaryDirectory() as root:
        reference = Path(root, "reference")
        reference.mkdir()
        in_child(partial(run, make, reference, searched, storage=False))
        expected, n_tasks = (reference / "table").read_bytes(), Counter(lines(reference))
        for i in range(n_moments):
            n_finished = check_moment(make, searched, Path(root, str(i)), draw, expected, n_tasks)
            print(
                f"{kind}: killed with {n_finished} of {n_tasks.total()} tasks finished, all others run once"
            )


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
