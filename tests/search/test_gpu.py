"""Searches on a real GPU: `make test-gpu`."""

import gc
import warnings

import numpy as np
import pytest
from sklearn.datasets import make_classification
from sklearn.exceptions import FitFailedWarning

from skhpo import ASHASearchCV, SearchCV

torch = pytest.importorskip("torch")
pytest.importorskip("skorch")

from skhpo.torch import Devices  # noqa: E402 - after the check that torch is there
from tests.search.nets import net, where  # noqa: E402

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device"),
]

X, y = make_classification(
    600, 4, n_informative=4, n_redundant=0, n_classes=3, n_clusters_per_class=1, random_state=0
)
X = X.astype(np.float32)
SPACE = {"lr": (0.01, 0.3, "log-uniform"), "optimizer__momentum": (0.0, 0.95)}


def search(estimator=None, space=SPACE, cls=SearchCV, **options):
    defaults = {"n_iter": 8, "cv": 2, "random_state": 0, "sampler": "random", "devices": "auto"}
    return cls(net() if estimator is None else estimator, space, **{**defaults, **options})


def scores(fitted):
    return fitted.cv_results_["mean_test_score"]


def used():
    gc.collect()
    free, total = torch.cuda.mem_get_info()
    return total - free


class TooLarge(torch.nn.Module):
    """Asks for more memory than there is, if it is told to."""

    def __init__(self, is_too_large=False):
        super().__init__()
        self.layer, self.is_too_large = torch.nn.Linear(4, 3), is_too_large

    def forward(self, X):
        if self.is_too_large:
            torch.empty(2 * torch.cuda.mem_get_info()[1], dtype=torch.uint8, device=X.device)
        return self.layer(X)


class OutOfRange(torch.nn.Module):
    """Asks for a row that a table does not have, which is an assertion in the device's own code."""

    def __init__(self, row=0):
        super().__init__()
        self.layer, self.table, self.row = torch.nn.Linear(4, 3), torch.nn.Embedding(2, 3), row

    def forward(self, X):
        return self.layer(X) + self.table(torch.full((len(X),), self.row, device=X.device))


@pytest.mark.parametrize(("n_jobs", "devices"), [(None, "auto"), (2, {"cuda:0": 2})])
def test_nets_are_on_the_gpu_and_the_best_is_at_home(n_jobs, devices):
    fitted = search(scoring=where, devices=devices, n_jobs=n_jobs).fit(X, y)
    assert (scores(fitted) == 0.0).all()
    assert fitted.best_estimator_.device == "cpu"
    assert next(fitted.best_estimator_.module_.parameters()).device.type == "cpu"


def test_promoted_trials_go_on_from_where_they_were():
    """Parked on the processor in between, they come to what they come to there, up to rounding."""
    options = {"cls": ASHASearchCV, "max_resources": 9, "n_iter": 9, "scoring": "neg_log_loss"}
    here, there = (search(net(module=TooLarge), **options, devices=d).fit(X, y) for d in (None, "auto"))
    assert here.cv_results_["params"] == there.cv_results_["params"]
    np.testing.assert_allclose(scores(there), scores(here), rtol=1e-3)


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_out_of_memory_costs_exactly_the_candidate(n_jobs):
    space = [{"lr": [0.05, 0.1, 0.2]}, {"module__is_too_large": [True]}]
    options = {"n_iter": None, "devices": {"cuda:0": n_jobs or 1}, "n_jobs": n_jobs}
    with pytest.warns(FitFailedWarning, match="OutOfMemoryError"):
        fitted = search(net(module=TooLarge), space, **options).fit(X, y)
    assert np.isnan(scores(fitted)).tolist() == [False, False, False, True]


def test_an_assertion_on_the_device_costs_the_candidate_and_its_process():
    space = [{"lr": [0.05, 0.1, 0.2]}, {"module__row": [7]}]
    options = {"n_iter": None, "devices": {"cuda:0": 2}, "n_jobs": 2}
    with pytest.warns(FitFailedWarning, match="its worker died"):
        fitted = search(net(module=OutOfRange), space, **options).fit(X, y)
    assert np.isnan(scores(fitted)).tolist() == [False, False, False, True]


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_memory_is_given_back(n_jobs):
    torch.zeros(1, device="cuda:0")
    before = used()
    search(n_iter=200, devices={"cuda:0": n_jobs or 1}, n_jobs=n_jobs, refit=False).fit(X, y)
    assert used() - before < 50 * 2**20


def test_together_scores_as_alone_over_twenty_seeds():
    """The nets have dropout, so that it is so in distribution; 3 standard errors are one in 370."""
    differences = []
    for seed in range(20):
        options = {"random_state": seed, "scoring": "neg_log_loss", "refit": False}
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            together = search(**options, devices=Devices(together=32)).fit(X, y)
        differences.append(np.mean(scores(together) - scores(search(**options).fit(X, y))))
    error = np.std(differences, ddof=1) / np.sqrt(len(differences))
    assert abs(np.mean(differences)) < 3 * error + 1e-4
