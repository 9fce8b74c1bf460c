"""Each check of adapters finds the fault that it is there for."""

from dataclasses import dataclass

import numpy as np
import pytest
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import SGDClassifier

from skhpo.evaluation.adapters import Adapter, FreshFit, find_adapter
from skhpo.testing import check_adapter

X, y = make_classification(120, 6, flip_y=0.2, random_state=0)
FOREST = RandomForestClassifier(random_state=0, max_depth=4)


@dataclass(frozen=True)
class Sound(Adapter):
    resource: str = "n_estimators"

    def extend(self, model, resource, X, y, fit_params, memo):
        warm = model.warm_start
        model.set_params(n_estimators=resource, warm_start=True).fit(X, y, **fit_params)
        model.set_params(warm_start=warm)


class TrainsAgain(Sound):
    def extend(self, model, resource, X, y, fit_params, memo):
        model.set_params(n_estimators=resource).fit(X, y)


class DoesNothing(Sound):
    def extend(self, model, resource, X, y, fit_params, memo):
        model.set_params(n_estimators=resource)


class OneTooFew(Sound):
    def extend(self, model, resource, X, y, fit_params, memo):
        super().extend(model, resource - 1, X, y, fit_params, memo)
        model.set_params(n_estimators=resource)


class KeepsWarmStart(Sound):
    def extend(self, model, resource, X, y, fit_params, memo):
        model.set_params(n_estimators=resource, warm_start=True).fit(X, y)


class ForgetsToSayHowFar(Sound):
    def extend(self, model, resource, X, y, fit_params, memo):
        reached = model.n_estimators
        super().extend(model, resource, X, y, fit_params, memo)
        model.set_params(n_estimators=reached)


class BeginsOtherwise(Sound):
    def begin(self, model, resource, X, y, fit_params, seed):
        model.set_params(n_estimators=resource).fit(X[::2], y[::2])


class ChangesData(Sound):
    def extend(self, model, resource, X, y, fit_params, memo):
        super().extend(model, resource, X, y, fit_params, memo)
        X += 1


class DrawsGlobally(Sound):
    def extend(self, model, resource, X, y, fit_params, memo):
        super().extend(model, resource, X, y, fit_params, memo)
        np.random.random()  # noqa: NPY002 - the fault


class NotPickled(Sound):
    """Keeps the model's last leg beside the model, where a worker cannot see it."""

    counts = {}  # noqa: RUF012 - the fault

    def begin(self, model, resource, X, y, fit_params, seed):
        super().begin(model, resource, X, y, fit_params, seed)
        self.counts[id(model)] = resource

    def extend(self, model, resource, X, y, fit_params, memo):
        if id(model) not in self.counts:
            resource -= 1
        super().extend(model, resource, X, y, fit_params, memo)
        model.set_params(n_estimators=resource + (id(model) not in self.counts))


class NoEquality(Adapter):
    resource = "n_estimators"
    extend = Sound.extend


class SpoilsMemo(Sound):
    """Goes on otherwise at the second time, as where a checkpoint is moved when it is read."""

    used = [0]  # noqa: RUF012 - the fault

    def extend(self, model, resource, X, y, fit_params, memo):
        self.used[0] += resource == 7
        model.random_state = self.used[0]
        super().extend(model, resource, X, y, fit_params, memo)
        model.random_state = 0


def test_a_sound_adapter_passes():
    check_adapter(Sound(), FOREST, X, y)
    check_adapter(Sound(), FOREST, X, y, fit_params={"sample_weight": np.linspace(0.5, 1, 120)})
    check_adapter(FreshFit("n_estimators"), FOREST, X, y)


@pytest.mark.parametrize(
    ("adapter", "message"),
    [
        (TrainsAgain(), "trained again from the beginning"),
        (DoesNothing(), "differ"),
        (OneTooFew(), "differ"),
        (KeepsWarmStart(), "warm_start"),
        (ForgetsToSayHowFar(), "tells n_estimators"),
        (BeginsOtherwise(), "begin to 3 and a fit of that length"),
        (ChangesData(), "were changed"),
        (DrawsGlobally(), "generator was drawn from"),
        (NotPickled(), "differ"),
        (SpoilsMemo(), "differ"),
        (NoEquality(), "is not equal to its copy"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Adapter) else "",
)
def test_a_broken_adapter_is_found(adapter, message):
    with pytest.raises(AssertionError, match=message):
        check_adapter(adapter, FOREST, X.copy(), y.copy())


class SeesSomeRows(Adapter):
    resource = "max_iter"

    def __eq__(self, other):
        return type(other) is type(self)

    def extend(self, model, resource, X, y, fit_params, memo):
        for _ in range(resource - model.max_iter):
            model.partial_fit(X[:30], y[:30])
        model.set_params(max_iter=resource)


def test_another_distribution_is_found():
    model = SGDClassifier(tol=None, random_state=0, loss="log_loss", learning_rate="constant", eta0=1e-2)
    check_adapter(find_adapter(model), model, X, y, exact=False)
    with pytest.raises(AssertionError, match="standard errors"):
        check_adapter(SeesSomeRows(), model, X, y, exact=False)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (("forest", FOREST, X, y), TypeError, "takes an Adapter"),
        ((Sound(), FOREST, X, y, (3, 3, 4)), ValueError, "increase"),
    ],
)
def test_bad_arguments(arguments, error, message):
    *positional, lengths = [*arguments, (3, 7, 16)][:5]
    with pytest.raises(error, match=message):
        check_adapter(*positional, lengths=lengths)
