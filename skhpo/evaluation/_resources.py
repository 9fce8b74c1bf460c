"""What a unit of resource is for each candidate: trees, rounds, epochs or samples."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from skhpo.evaluation.adapters import Adapter, FreshFit, find_adapter

N_SAMPLES = "n_samples"


@dataclass(frozen=True)
class Length:
    """The training length of one candidate's model, as it depends on the resource.

    Attributes
    ----------
    adapter : Adapter or None
        Trains the model to a length; None where the length is the number of samples.
    full : int
        The length at ``max_resources``, in the model's own units.
    max_resources : int
    """

    adapter: Adapter | None
    full: int
    max_resources: int

    @property
    def name(self) -> str:
        """Name of the parameter that the length is set by, or "n_samples"."""
        return N_SAMPLES if self.adapter is None else self.adapter.resource

    def at(self, resource: int) -> int:
        """The length at a resource, in the model's own units, rounded down, and 1 at least."""
        return max(1, self.full * resource // self.max_resources)


@dataclass(frozen=True)
class ResourcePlan:
    """Finds the training length of each candidate.

    Attributes
    ----------
    resource : str
        "auto", "n_samples" or the name of a parameter.
    max_resources : int
        Resource of the full training.
    unit : str or None
        The resource is the length itself of models that have it under this name; None where it is a part
        of each model's own length.
    n_samples : int
        All there are.
    names : tuple of str
        What the models' lengths are set by: names of parameters, or "n_samples".
    """

    resource: str
    max_resources: int
    unit: str | None
    n_samples: int
    names: tuple[str, ...]

    @property
    def unit_in_words(self) -> str:
        """What is counted, for a message."""
        return self.unit or f"equal parts of each candidate's own length ({', '.join(self.names)})"

    def length(self, model: Any) -> Length:
        """The length of a model whose parameters are set.

        Raises
        ------
        ValueError
            If the model has no such resource, or does not tell its full length where that is needed.
        """
        adapter = adapter_for(model, self.resource)
        if self.unit == (N_SAMPLES if adapter is None else adapter.resource):
            return Length(adapter, self.max_resources, self.max_resources)
        full = self.n_samples if adapter is None else own_length(adapter, model)
        return Length(adapter, full, self.max_resources)


def plan_resources(
    models: Iterable[Any], resource: str, max_resources: int | str, n_samples: int
) -> ResourcePlan:
    """One scale for all models that a search may come to train.

    Parameters
    ----------
    models : iterable of estimator
        One for each kind of candidate, with its parameters set.
    resource : str
        "auto", "n_samples" or the name of a parameter.
    max_resources : int or "auto"
        A number is the length itself where all models have the same resource, else the number of
        units that each model's own length is divided into. "auto" is the models' own length, the
        shortest of them where they differ.
    n_samples : int

    Returns
    -------
    plan : ResourcePlan

    Raises
    ------
    ValueError
        If a model lacks the resource, the full length cannot be known, or there are fewer samples than
        ``max_resources``.
    """
    kinds = [(adapter_for(model, resource), model) for model in models]
    names = {N_SAMPLES if adapter is None else adapter.resource for adapter, _ in kinds}
    unit = next(iter(names)) if len(names) == 1 else None
    if max_resources == "auto":
        lengths = [own_length(adapter, model) for adapter, model in kinds if adapter is not None]
        most = min(lengths, default=n_samples)
        if len(set(lengths)) > 1:
            unit = None
    else:
        most = int(max_resources)
        if unit == N_SAMPLES and most > n_samples:
            raise ValueError(f"max_resources={most} is greater than the number of samples, {n_samples}.")
    return ResourcePlan(resource, most, unit, n_samples, tuple(sorted(names)))


def adapter_for(model: Any, resource: str) -> Adapter | None:
    """The adapter that trains a model to a length of this resource; None for samples.

    Raises
    ------
    ValueError
        If the model has no such parameter.
    """
    if resource == N_SAMPLES:
        return None
    adapter = find_adapter(model)
    if resource == "auto" or (adapter is not None and adapter.resource == resource):
        return adapter
    if resource not in model.get_params():
        known = "" if adapter is None else f"; its training length is {adapter.resource!r}"
        raise ValueError(
            f"Cannot use resource={resource} which is not supported by estimator "
            f"{type(model).__name__}{known}. Allowed are 'auto', 'n_samples' and the names of its parameters."
        )
    value = model.get_params()[resource]
    if value is not None and (isinstance(value, bool) or not hasattr(value, "__index__")):
        raise ValueError(
            f"Cannot use resource={resource}: a resource is a number of steps, and {resource!r} of "
            f"{type(model).__name__} is {value!r}."
        )
    return FreshFit(resource)


def own_length(adapter: Adapter, model: Any) -> int:
    """The full length that a model asks for itself.

    Raises
    ------
    ValueError
        If it asks for none.
    """
    full = adapter.length(model)
    if full is None:
        value = model.get_params().get(adapter.resource)
        raise ValueError(
            f"max_resources='auto' takes the full training length from {adapter.resource!r} of "
            f"{type(model).__name__}, which is {value!r} and no length. Pass max_resources as a number, or "
            "set the parameter."
        )
    return full
