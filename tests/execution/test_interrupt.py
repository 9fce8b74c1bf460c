"""An interrupt ends the search and everything it started."""

import os
import signal
import subprocess
import sys
import time

import pytest

PROGRAM = """
import sys, time
import joblib
import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from skhpo import TPESearchCV

class Sleeper(ClassifierMixin, BaseEstimator):
    def __init__(self, x=0.0):
        self.x = x
    def fit(self, X, y):
        print("training", flush=True)
        time.sleep(60)
        return self
    def predict(self, X):
        return np.zeros(len(X))

X, y = np.zeros((20, 2)), np.arange(20) % 2
search = TPESearchCV(Sleeper(), {"x": (0.0, 1.0)}, n_iter=10, cv=2, n_jobs=2)
try:
    with joblib.parallel_config(backend=sys.argv[1]):
        search.fit(X, y)
except KeyboardInterrupt:
    print("interrupted", hasattr(search, "cv_results_"), flush=True)
"""


def members(group):
    """Processes of a process group that still run."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/stat") as stat:
                state, _, pgrp = stat.read().rpartition(")")[2].split()[:3]
        except OSError:
            continue
        if int(pgrp) == group and state != "Z":
            found.append(int(pid))
    return found


@pytest.mark.skipif(not os.path.isdir("/proc"), reason="counts the processes in /proc")
@pytest.mark.parametrize("backend", ["loky", "multiprocessing"])
def test_no_process_outlives_an_interrupted_search(backend):
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, backend],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    try:
        # Two workers may write at once.
        assert process.stdout.readline().startswith("training")
        assert len(members(process.pid)) > 2
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=30)
        assert output.endswith("interrupted False\n")
        deadline = time.monotonic() + 10
        while members(process.pid) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert members(process.pid) == []
    finally:
        for pid in members(process.pid):
            os.kill(pid, signal.SIGKILL)
