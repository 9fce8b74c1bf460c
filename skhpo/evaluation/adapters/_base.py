"""The contract of an adapter: how an estimator is trained to a length, and on from there."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any


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
    """

    resource: str

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
        is_number = isinstance(value, int) or (hasattr(value, "__index__") and not isinstance(value, bool))
        return int(value) if is_number and not isinstance(value, bool) and value > 0 else None

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
        """Train an estimator from the beginning, in place.

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
        model.set_params(**{self.resource: resource})
        fit(model, X, y, fit_params)
        return None

    @abstractmethod
    def extend(
        self, model: Any, resource: int, X: Any, y: Any, fit_params: Mapping[str, Any], memo: Any
    ) -> Any:
        """Train a fitted estimator on, in place, as if it had been trained to ``resource`` at once.

        Parameters
        ----------
        model : estimator
            As ``begin`` or ``extend`` left it; its parameter ``resource`` tells how far it was
            trained.
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


def fit(model: Any, X: Any, y: Any, fit_params: Mapping[str, Any]) -> None:
    """Call ``fit`` with a target or without."""
    target = () if y is None else (y,)
    model.fit(X, *target, **fit_params)
