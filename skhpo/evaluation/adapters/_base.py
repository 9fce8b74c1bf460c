"""The contract of an adapter: how an estimator is trained to a length, and on from there."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from numbers import Integral
from typing import Any, ClassVar

from sklearn.exceptions import ConvergenceWarning


class Adapter(ABC):
    """How estimators of one kind are trained to a length, and on from there.

    The length is counted in units of one of the estimator's own parameters: trees, boosting rounds,
    epochs. An adapter holds no model and no data, is shared by all trials, and travels to workers by
    pickle.

    Authors write ``resource`` and ``extend``, and the others where the defaults do not fit;
    ``skhpo.testing.check_adapter`` checks the result.

    Attributes
    ----------
    resource : str
        Name of the parameter that says how long the estimator is trained.
    fit_arguments : tuple of str or None
        Of the class: names of further arguments with which ``extend`` calls the estimator's ``fit``. None
        where it goes past ``fit``, so that a derived class with a ``fit`` of its own cannot be trained on.
    """

    resource: str
    fit_arguments: ClassVar[tuple[str, ...] | None] = None

    def length(self, model: Any) -> int | None:
        """The training length that an estimator asks for itself; None if it cannot be known.

        Parameters
        ----------
        model : estimator

        Returns
        -------
        length : int or None
        """
        value = model.get_params()[self.resource]
        length = int(value) if isinstance(value, Integral) and not isinstance(value, bool) else 0
        return length if length > 0 else None

    def can_extend(self, model: Any, fit_params: Mapping[str, Any]) -> bool:
        """Whether training this estimator on is the same as training it for longer.

        That is, bit for bit, or in distribution where the estimator draws at random. Where it is not (an
        estimator that stops early by its own rules, say), a promoted trial is trained again from
        the beginning.

        Parameters
        ----------
        model : estimator
            With all parameters set, fitted or not.
        fit_params : mapping
            What is passed to ``fit`` beside the data.

        Returns
        -------
        can_extend : bool
        """
        return True

    def begin(
        self, model: Any, resource: int, X: Any, y: Any, fit_params: Mapping[str, Any], seed: int
    ) -> Any:
        """Train an unfitted estimator, in place.

        That an estimator did not converge is no news where it is trained for less than it asks for itself;
        scikit-learn's warning of it is silenced there.

        Parameters
        ----------
        model : estimator
        resource : int
            Length to train to.
        X, y : array-like
            ``y`` is None where there is no target.
        fit_params : mapping
        seed : int
            For what the estimator draws from generators that are not its own.

        Returns
        -------
        memo : object
            What the fitted estimator does not remember itself and ``extend`` needs; it is kept with
            the estimator, and pickled with it. None for nothing.
        """
        with self.unalarmed(model, resource):
            model.set_params(**{self.resource: resource})
            fit(model, X, y, fit_params)
        return None

    def unalarmed(self, model: Any, resource: int) -> AbstractContextManager[None]:
        """No warnings of missing convergence, where a resource is less than the estimator's own length."""
        length = self.length(model)
        is_short = length is None or resource < length
        return silenced(category=ConvergenceWarning) if is_short else nullcontext()

    @abstractmethod
    def extend(
        self, model: Any, resource: int, X: Any, y: Any, fit_params: Mapping[str, Any], memo: Any
    ) -> Any:
        """Train a fitted estimator on, in place, as if it had been trained to ``resource`` at once.

        Parameters
        ----------
        model : estimator
            As ``begin`` or ``extend`` left it; its parameter ``resource`` tells how far it was
            trained, and tells the new length afterwards. All its other parameters stay as they are.
        resource : int
            Length to train to, counted from the beginning and greater than the one reached.
        X, y, fit_params : object
            The same as at the beginning.
        memo : object
            What ``begin`` or ``extend`` returned.

        Returns
        -------
        memo : object
            For the next time.
        """


@dataclass(frozen=True)
class FreshFit(Adapter):
    """Training from the beginning at every length, for what cannot be trained on.

    Parameters
    ----------
    resource : str
        Parameter of the estimator that says how long it is trained; may reach into it, as in
        ``"model__max_iter"``.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skhpo.evaluation.adapters import FreshFit
    >>> adapter = FreshFit("max_iter")
    >>> adapter.length(LogisticRegression(max_iter=250))
    250
    >>> adapter.can_extend(LogisticRegression(), {})
    False
    """

    resource: str

    def can_extend(self, model: Any, fit_params: Mapping[str, Any]) -> bool:
        """Never."""
        return False

    def extend(
        self, model: Any, resource: int, X: Any, y: Any, fit_params: Mapping[str, Any], memo: Any
    ) -> Any:
        """Train again from the beginning, whatever ``warm_start`` says."""
        warm_start = self.resource.removesuffix(self.resource.split("__")[-1]) + "warm_start"
        cold = {warm_start: False} if warm_start in model.get_params() else {}
        with parameters(model, **cold), silenced(category=ConvergenceWarning):
            return self.begin(model, resource, X, y, fit_params, seed=0)


def fit(model: Any, X: Any, y: Any, fit_params: Mapping[str, Any]) -> None:
    """Call ``fit`` with a target or without."""
    target = () if y is None else (y,)
    model.fit(X, *target, **fit_params)


@contextmanager
def parameters(model: Any, **values: Any) -> Iterator[None]:
    """Other values of an estimator's parameters for a while; the very objects of before are put back."""
    present = model.get_params()
    before = {name: present[name] for name in values}
    model.set_params(**values)
    try:
        yield
    finally:
        model.set_params(**before)


@contextmanager
def silenced(message: str = "", category: type[Warning] = Warning) -> Iterator[None]:
    """No warnings of a kind for a while; ``message`` is a regular expression of how they begin."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=message, category=category)
        yield
