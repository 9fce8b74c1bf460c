"""Figures of benchmarks/samplers against arithmetic by hand, and runs that are found again."""

import json

import numpy as np
import pytest

from benchmarks.samplers import aggregate, gp_variants, tpe_variants
from benchmarks.samplers.__main__ import missing
from benchmarks.samplers.peers import PEERS, peer_of
from benchmarks.samplers.peers.ours import as_space, code_of
from benchmarks.samplers.report import Report
from benchmarks.samplers.results import Record, Results, keep, load_kept
from benchmarks.samplers.running import SamplerFailed, Workers
from benchmarks.samplers.tasks import registry
from skhpo.samplers.gp import GPSampler
from skhpo.samplers.tpe import TPESampler

NAN = np.nan


def test_normalised_regret():
    np.testing.assert_allclose(aggregate.normalised(np.array([5.0, 3.0, 1.0, 0.5]), 1.0, 5.0), [1, 0.5, 0, 0])
    with pytest.raises(ValueError, match="must be worse than the optimum"):
        aggregate.normalised(np.array([1.0]), 2.0, 2.0)


# Two tasks, three samplers, two seeds.
R = np.array(
    [
        [[0.1, 0.3], [0.2, 0.4], [0.2, 0.2]],
        [[0.5, 0.1], [0.2, 0.2], [0.9, 0.1]],
    ]
)


def test_means_and_errors():
    mean, error = aggregate.mean_over_tasks(R)
    # By seed: (0.1 + 0.5) / 2 = 0.3 and (0.3 + 0.1) / 2 = 0.2; their deviation is 0.1 / sqrt 2.
    np.testing.assert_allclose(mean, [0.25, 0.25, 0.35])
    np.testing.assert_allclose(error, [0.05, 0.05, 0.2])


def test_ranks_share_what_is_equal():
    # Task 1: (1, 2.5, 2.5) and (2, 3, 1). Task 2: (2, 1, 3) and (1.5, 3, 1.5).
    np.testing.assert_allclose(aggregate.mean_ranks(R, 1e-4), [6.5 / 4, 9.5 / 4, 8 / 4])


def test_wins_are_those_of_the_means():
    # Means of task 1: 0.2, 0.3, 0.2. Of task 2: 0.3, 0.2, 0.5.
    np.testing.assert_allclose(aggregate.wins(np.round(R, 6), 1e-4), [0.5, 1.0, 0.5])


def test_below_the_floor_all_is_equal():
    tiny = np.array([[[1e-9], [1e-6], [1e-2]]])
    np.testing.assert_allclose(aggregate.mean_ranks(tiny, 1e-4), [1.5, 1.5, 3.0])
    np.testing.assert_allclose(aggregate.wins(tiny, 1e-4), [0.5, 0.5, 0.0])


def test_each_task_has_its_own_floor():
    two = np.array([[[1e-5], [5e-4]], [[1e-5], [5e-4]]])
    floor = np.array([1e-4, 1e-3])
    np.testing.assert_allclose(aggregate.mean_ranks(two, floor), [1.25, 1.75])
    np.testing.assert_allclose(aggregate.wins(two, floor), [1.5, 0.5])
    assert aggregate.compare(two[:, 0], two[:, 1], floor).difference == pytest.approx(np.log10(1 / 5) / 2)


def test_seeds_that_are_not_complete_count_nowhere():
    holes = R.copy()
    holes[1, 0, 1] = NAN
    mean, error = aggregate.mean_over_tasks(holes)
    np.testing.assert_allclose(mean, [0.3, 0.25, 0.35])
    assert np.isnan(error[0])
    np.testing.assert_allclose(aggregate.mean_ranks(holes, 1e-4), [3 / 2, 3.5 / 2, 5.5 / 2])
    assert np.isnan(aggregate.mean_ranks(np.full((2, 3, 2), NAN), 1e-4)).all()


def test_pairs():
    a, b = np.array([[0.1, 0.01], [0.001, 0.001]]), np.array([[1.0, 0.1], [0.001, 0.01]])
    # Gaps of log10: (-1, -1) and (0, -1); by seed -0.5 and -1.
    pair = aggregate.compare(a, b, 1e-4)
    assert (pair.difference, pair.error) == (pytest.approx(-0.75), pytest.approx(0.25))
    assert (pair.better, pair.worse) == (2, 0)


# -- records ------------------------------------------------------------------------------------


def record(sampler="random", version="1", seed=0, n=4, steps=((0, 3.0), (2, 1.0))):
    return Record("branin", sampler, version, seed, n, n, list(steps), {n: 0.008})


def test_records_are_read_as_they_were_written(tmp_path):
    path = tmp_path / "runs.jsonl"
    results = Results(path)
    results.append(record())
    results.append(record(seed=1, steps=[(0, 0.1 + 0.2)]))
    again = Results(path)
    assert list(again) == list(results)
    assert list(again)[1].steps == [(0, 0.1 + 0.2)]
    np.testing.assert_array_equal(record().trace(), [3.0, 3.0, 1.0, 1.0])
    assert again.least("branin") == 0.1 + 0.2
    assert len(path.read_text().splitlines()) == 2


def test_a_report_is_about_one_version(tmp_path):
    results = Results(tmp_path / "runs.jsonl")
    results.append(record(version="old"))
    assert results.version_of("random", "new") == "old"
    results.append(record(version="new", steps=[(0, 2.0)]))
    assert results.version_of("random", "new") == "new"
    assert results.version_of("tpe", "new") is None
    report = Report(results, ["branin"], ["random"], 1, {"random": "new"})
    task = registry()["branin"](0)
    expected = (2.0 - task.optimum) / (task.typical - task.optimum)
    assert report.regret(4)[0, 0, 0] == pytest.approx(expected)
    assert report.own_time(4)[0] == pytest.approx(2.0)


def test_only_what_is_missing_is_run(tmp_path):
    results = Results(tmp_path / "runs.jsonl")
    versions = {"random": "1", "optuna-tpe": "5", "cma": "4"}
    todo = list(missing(results, ["branin", "mixed"], list(versions), versions, 1, [2, 4]))
    # Ours are told their budget and run for both; cma has no choices; the others read 2 in 4.
    assert sorted(key[:2] + key[4:] for key in todo) == [
        ("branin", "cma", 4),
        ("branin", "optuna-tpe", 4),
        ("branin", "random", 2),
        ("branin", "random", 4),
        ("mixed", "optuna-tpe", 4),
        ("mixed", "random", 2),
        ("mixed", "random", 4),
    ]
    results.append(record())
    left = list(missing(results, ["branin"], ["random"], versions, 1, [2, 4]))
    assert left == [("branin", "random", "1", 0, 2)]


# -- samplers in their own process ----------------------------------------------------------------


@pytest.fixture(scope="module")
def workers():
    with Workers() as workers:
        yield workers


@pytest.mark.parametrize("sampler", [name for name, peer in PEERS.items() if peer.module == "ours"])
@pytest.mark.parametrize("task_name", ["layers", "mixed", "heteroscedastic"])
def test_ours_run_and_repeat(workers, sampler, task_name):
    task = registry()[task_name](3)
    first, second = (workers.run(task_name, task, sampler, 12, is_noisy=task.is_noisy) for _ in range(2))
    assert first.steps == second.steps
    assert first.asked == 12
    assert 0 < first.seconds[12] < 60
    assert json.dumps(first.steps)


def test_a_sampler_that_fails_leaves_the_others_running(workers):
    task = registry()["mixed"](0)
    task.seed = -1
    with pytest.raises(SamplerFailed, match="ValueError"):
        workers.run("mixed", task, "random", 5, is_noisy=False)
    task.seed = 0
    assert workers.run("mixed", task, "random", 5, is_noisy=False).asked == 5


def test_options_behind_a_name_reach_the_sampler(workers):
    task = registry()["mixed"](0)
    plain, same, other = (
        workers.run("mixed", task, name, 15, is_noisy=False)
        for name in ("tpe", "tpe:n_startup=10", "tpe:n_startup=3")
    )
    assert plain.steps == same.steps != other.steps
    assert plain.version == other.version
    with pytest.raises(SamplerFailed, match="TypeError"):
        workers.run("mixed", task, "tpe:colour=3", 15, is_noisy=False)


def test_a_version_is_the_code_and_not_what_is_said_of_it():
    code = """
def f(x):
    \"\"\"Doubles.\"\"\"
    return 2 * x  # not x + x


LIMIT = 3
\"\"\"Where it ends.\"\"\"
"""
    said_otherwise = code.replace("Doubles.", "Twice.").replace("# not x + x", "").replace("Where it", "It")
    assert code_of(code) == code_of(said_otherwise)
    assert code_of(code) != code_of(code.replace("2 * x", "3 * x"))
    assert "LIMIT = 3" in code_of(code) and "Doubles" not in code_of(code)
    assert code_of('class A:\n    """Empty."""\n') == code_of("class A:\n    pass\n")


def test_only_ours_take_options():
    assert peer_of("gp:n_startup=5").option == "gp:n_startup=5"
    assert peer_of("optuna-tpe").module == "optuna_peers"
    with pytest.raises(KeyError):
        peer_of("optuna-tpe:n_startup=5")


def proposals(kind, name, n):
    """What a sampler asks of a task."""
    task = registry()[name](1)
    space = as_space(task.axes)
    sampler = kind().start(space, seed=1, n_trials=n)
    asked = []
    for k in range(n):
        X = sampler.ask()
        asked.append(space.to_params(X[0]))
        sampler.tell(X, np.array([task.loss(k, asked[-1])]))
    return asked


@pytest.mark.parametrize("variant", sorted(tpe_variants.VARIANTS))
def test_each_variant_of_the_tpe_is_another_sampler(variant):
    kinds = TPESampler, tpe_variants.VARIANTS[variant]
    plain, other = ([proposals(kind, name, 30) for name in ("integers", "conditional")] for kind in kinds)
    assert plain != other


@pytest.mark.parametrize("variant", sorted(gp_variants.VARIANTS))
def test_each_variant_of_the_gaussian_process_is_another_sampler(variant):
    kinds = GPSampler, gp_variants.VARIANTS[variant]
    plain, other = (proposals(kind, "hartmann", 16) for kind in kinds)
    assert plain != other
    # What is patched is so only while a variant works.
    assert proposals(GPSampler, "hartmann", 13) == plain[:13]


def test_rows_of_ablations_are_samplers():
    for module in (tpe_variants, gp_variants):
        for name in module.ROWS:
            assert peer_of(name).module in ("ours", "optuna_peers")
            variant = name.partition("variant=")[2].partition(",")[0]
            assert not variant or variant in module.VARIANTS


# -- runs that the repository keeps ---------------------------------------------------------------


def kept_records():
    return [
        Record("branin", "gp", "abc", 0, 5, 5, [(0, 2.5), (3, 1.25)], {5: 0.1}),
        Record("svc-cancer", "gp", "abc", 1, 5, 5, [(0, 0.5)], {5: 0.2}),
        Record("branin", "tpe", "def", 0, 5, 5, [(1, 3.0)], {5: 0.3}),
    ]


def libraries_of(task):
    return {"scikit-learn": "1.9"} if task == "svc-cancer" else {}


def test_kept_runs_come_back_and_are_not_missing(tmp_path):
    keep(kept_records(), {"scikit-learn": "1.9", "numpy": "2.4"}, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["gp.jsonl.gz", "tpe.jsonl.gz"]
    results = Results(tmp_path / "none.jsonl", load_kept(libraries_of, tmp_path))
    assert sorted(results, key=lambda record: record.key) == sorted(kept_records(), key=lambda r: r.key)
    assert kept_records()[0].key in results


def test_a_real_task_of_other_libraries_does_not_count(tmp_path):
    keep(kept_records(), {"scikit-learn": "1.8", "numpy": "2.4"}, tmp_path)
    assert {record.task for record in load_kept(libraries_of, tmp_path)} == {"branin"}


def test_the_same_runs_are_the_same_bytes(tmp_path):
    for name, records in (("a", kept_records()), ("b", kept_records()[::-1])):
        keep(records, {"numpy": "2.4"}, tmp_path / name)
    for sampler in ("gp", "tpe"):
        first, second = (tmp_path / name / f"{sampler}.jsonl.gz" for name in "ab")
        assert first.read_bytes() == second.read_bytes()
