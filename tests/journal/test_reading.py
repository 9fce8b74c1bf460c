"""What a reader is told."""

import math
import os
import subprocess
import sys
import time
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest

from skhpo._records import Began, Ended, Evaluation, FailedScore, Job, Trial
from skhpo.journal import SQLiteJournal, read
from skhpo.journal import __main__ as program
from skhpo.journal._reading import look


def score(value, **more):
    return {"test_scores": value, "fit_time": 2.0, "score_time": 0.5, "fit_error": None, **more}


def test_a_row_for_each_finished_task(tmp_path, make):
    started = datetime.now(UTC)
    table = pd.DataFrame(read(make(tmp_path / "search.db")))
    assert list(table) == [
        *("candidate", "fold", "resource", "bracket", "rung", "test_score", "fit_time", "score_time"),
        *("failed", "error", "elapsed", "finished_at", "param_C", "param_kernel"),
    ]
    assert table["candidate"].tolist() == [0, 0, 1, 1, 2]
    assert table["fold"].tolist() == [0, 1, 1, 0, 0]
    np.testing.assert_array_equal(table["test_score"], [0.5, 0.75, np.nan, 1.0, 0.7])
    assert table["failed"].tolist() == [False, False, True, False, False]
    assert table["error"][2] == "Traceback\nValueError: no"
    assert table["param_C"].tolist() == [1.0, 1.0, 2.0, 2.0, 4.0]
    assert set(table["param_kernel"]) == {"rbf"}
    assert (table["fit_time"] == 0.25).all()
    assert table["elapsed"].is_monotonic_increasing
    moments = [datetime.fromisoformat(text) for text in table["finished_at"]]
    assert all(abs((moment - started).total_seconds()) < 60 for moment in moments)


def test_several_metrics_and_parameters_that_come_and_go(tmp_path, make):
    lost = FailedScore(-1.0)
    events = [
        Began(Job(0, 3), Trial(0, (0.5,), {"C": 1, "gamma": 0.5})),
        Evaluation(Job(0, 3), 0, score({"f1": 0.5, "auc": 0.75}, train_scores={"f1": 1.0, "auc": 0.9})),
        Began(Job(1, 3, 1, 1), Trial(1, (0.5,), {"C": None, "model": [1, 2]})),
        Evaluation(Job(1, 3, 1, 1), 0, score(lost, fit_error="Traceback", train_scores=lost)),
    ]
    table = read(make(tmp_path / "search.db", events, {"parameters": ["model", "C"]}))
    assert (table["resource"], table["bracket"], table["rung"]) == ([3, 3], [0, 1], [0, 1])
    assert (table["test_f1"], table["test_auc"]) == ([0.5, -1.0], [0.75, -1.0])
    assert (table["train_f1"], table["train_auc"]) == ([1.0, -1.0], [0.9, -1.0])
    assert type(table["test_f1"][1]) is float
    assert table["failed"] == [False, True]
    assert [name for name in table if name.startswith("param_")] == ["param_model", "param_C", "param_gamma"]
    assert table["param_model"] == [None, "[1, 2]"]
    assert table["param_C"] == [1, None]
    assert table["param_gamma"] == [0.5, None]


def test_a_search_without_a_result_is_an_empty_table(tmp_path, make):
    table = read(make(tmp_path / "search.db", []))
    assert pd.DataFrame(table).shape[0] == 0
    assert list(table)[:2] == ["candidate", "fold"]


def test_reading_leaves_nothing_behind(tmp_path, make):
    path = make(tmp_path / "search.db")
    before = path.read_bytes()
    read(path)
    look(path)
    assert os.listdir(tmp_path) == ["search.db"]
    assert path.read_bytes() == before


def test_what_is_not_there_is_said(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"There is no journal .*search\.db"):
        read(tmp_path / "search.db")
    (tmp_path / "search.db").touch()
    with pytest.raises(ValueError, match="no search has written to it yet"):
        read(tmp_path / "search.db")
    with pytest.raises(TypeError, match="path of a file"):
        read(None)


def test_the_state_of_a_search(tmp_path, make, events, about):
    path = make(tmp_path / "search.db")
    state = look(path)
    assert not state.running
    # Candidate 2 has a task that is not finished.
    assert not state.complete
    assert (state.n_candidates, state.n_candidates_done) == (3, 2)
    assert (state.n_tasks_done, state.n_tasks_open, state.n_tasks, state.n_failures) == (5, 1, 8, 1)
    assert state.about == about
    # Candidate 1 has the best fold, and a failure.
    assert (state.best.candidate, state.best.score) == (0, 0.625)
    assert state.best.params == {"C": 1.0, "kernel": "rbf"}
    # The stopping rule fired, so that one open task is all there is: a fifth of the time so far.
    assert state.left == pytest.approx(state.elapsed / 5)

    with SQLiteJournal(path) as journal:
        journal.identify(7, {"data": "blake2b:00", "versions": "'skhpo 0.1'"}, about)
        assert look(path).running
        journal.append(Evaluation(Job(2), 1, score(0.9)))
        state = look(path)
        assert (state.running, state.complete, state.n_tasks_open, state.left) == (True, False, 0, 0)
        assert (state.best.candidate, state.best.score) == (2, pytest.approx(0.8))
    assert look(path).complete


def test_a_search_that_was_taken_over_is_complete_when_it_ends(tmp_path, make, events, about):
    rest = [Evaluation(Job(2), 1, score(0.9))]
    for ends, complete in [
        ([], False),
        ([Ended("run")], False),
        ([Ended("stop")], True),
        ([Ended("stop"), Ended("run")], False),
        ([Ended("stop"), Ended("run"), Ended("stop")], True),
        ([Ended("space"), Ended("run")], True),
    ]:
        path = make(tmp_path / f"{len(list(tmp_path.iterdir()))}.db", [*events[:-1], *ends, *rest], about)
        assert look(path).complete == complete, ends


def test_the_best_is_that_of_the_largest_resource_and_of_the_metric_that_counts(tmp_path, make, about):
    events = []
    for trial, resource, f1, auc in [(0, 1, 0.9, 0.1), (0, 3, 0.5, 0.2), (1, 1, 1.0, 0.3), (2, 3, 0.4, 0.8)]:
        events.append(Began(Job(trial, resource), Trial(trial, (0.5,), {"C": trial})))
        events.append(Evaluation(Job(trial, resource), 0, score({"f1": f1, "auc": auc})))
    events.append(Evaluation(Job(3, 9), 0, score({"f1": math.nan, "auc": math.inf})))
    for metric, candidate, value in [("f1", 0, 0.5), ("auc", 2, 0.8), (None, 0, 0.5), ("no", None, None)]:
        path = make(tmp_path / f"{metric}.db", events, {**about, "n_folds": 1, "metric": metric})
        best = look(path).best
        assert best is None if candidate is None else (best.candidate, best.score) == (candidate, value)
        assert best is None or best.resource == 3


def test_time_left(tmp_path, about):
    path = tmp_path / "search.db"
    for limits, left in [
        ({}, lambda elapsed: 7 * elapsed),
        ({"timeout": 1e-9}, lambda elapsed: 0.0),
        ({"timeout": 1e9}, lambda elapsed: 7 * elapsed),
        ({"timeout": 1000.0, "n_jobs": None}, lambda elapsed: 1000 - elapsed),
        ({"n_jobs": None}, lambda elapsed: None),
    ]:
        with SQLiteJournal(path) as journal:
            journal.identify(7, {}, {**about, **limits})
            journal.append(Began(Job(0), Trial(0, (0.5,), {})))
            time.sleep(0.01)
            journal.append(Evaluation(Job(0), 0, score(0.5)))
        state = look(path)
        assert state.left == pytest.approx(left(state.elapsed))
        path.unlink()


def test_the_program(tmp_path, make):
    path = make(tmp_path / "search.db")
    done = subprocess.run(
        [sys.executable, "-m", "skhpo.journal", str(path)], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
    for words in (
        "TPESearchCV of SVC()",
        "not running; calling fit again continues it",
        "2 finished, 3 begun of at most 4",
        "5 done of at most 8, 1 begun and not finished, 1 failed",
        "mean score 0.625 over 2 folds, candidate 0",
        "C = 1.0",
        "kernel = rbf",
    ):
        assert words in done.stdout
    assert all(len(line) < 100 for line in done.stdout.splitlines()[1:])


@pytest.mark.parametrize("contents", [None, b"", b"x" * 5000])
def test_a_bad_file_is_one_line_and_a_code(tmp_path, capsys, contents):
    path = tmp_path / "search.db"
    if contents is not None:
        path.write_bytes(contents)
    for option in ([], ["--csv"], ["--watch", "1"]):
        assert program.main([str(path), *option]) == 1
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith("error: ")
        assert err.count("\n") == 1
        assert "Errno" not in err


@pytest.mark.parametrize("seconds", ["0", "-1", "nan", "inf", "x"])
def test_watching_needs_some_seconds(capsys, seconds):
    with pytest.raises(SystemExit):
        program.main(["search.db", "--watch", seconds])
    assert "a positive number of seconds is needed" in capsys.readouterr().err


def test_watching_ends_with_the_search(tmp_path, capsys, monkeypatch, about):
    path = tmp_path / "search.db"
    journal = SQLiteJournal(path)
    journal.identify(7, {}, about)
    slept = []

    def sleep(seconds):
        slept.append(seconds)
        if len(slept) == 2:
            journal.close()

    monkeypatch.setattr(program.time, "sleep", sleep)
    assert program.main([str(path), "--watch", "5"]) == 0
    assert slept == [5.0, 5.0]
    assert capsys.readouterr().out.count("journal  ") == 3


def test_watching_can_be_interrupted(tmp_path, monkeypatch, about):
    def sleep(seconds):
        raise KeyboardInterrupt

    monkeypatch.setattr(program.time, "sleep", sleep)
    with SQLiteJournal(tmp_path / "search.db") as journal:
        journal.identify(7, {}, about)
        assert program.main([str(tmp_path / "search.db"), "--watch", "5"]) == 0


def test_a_spreadsheet_and_a_terminal_are_not_made_to_act(tmp_path, make, capsys):
    events = [
        Began(
            Job(0), Trial(0, (0.5,), {"=1+1": "=cmd|'/c calc'!A1", "C": -0.5, "k": "-1+1", "b": "\x1b[2J"})
        ),
        Evaluation(Job(0), 0, score(-0.5, fit_error='Traceback\n\x1b]0;x\x07 <b>, "q"')),
    ]
    path = make(tmp_path / "search.db", events, {"search": "\x1b[31mred", "estimator": "a\u202eb\r\n"})
    assert program.main([str(path), "--csv"]) == 0
    text = capsys.readouterr().out
    (tmp_path / "table.csv").write_text(text, encoding="utf-8")
    row = pd.read_csv(tmp_path / "table.csv").iloc[0]
    assert row["test_score"] == -0.5
    assert row["param_C"] == -0.5
    assert row["param_=1+1"] == "'=cmd|'/c calc'!A1"
    assert row["param_k"] == "'-1+1"
    assert row["error"] == 'Traceback\n\ufffd]0;x\ufffd <b>, "q"'
    assert program.main([str(path)]) == 0
    for shown in (text, capsys.readouterr().out):
        assert not set(shown) & {"\x1b", "\x07", "\r", "\u202e"}


def test_the_words_of_a_duration():
    for seconds, words in [(0.04, "0.0 s"), (59.6, "1 min 0 s"), (3600, "1 h 0 min"), (200_000, "2 d 7 h")]:
        assert program.duration(seconds) == words
