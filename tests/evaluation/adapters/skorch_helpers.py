"""Nets of skorch for the tests, what is to be the same of two of them, and skorch's own fit to compare."""

import skorch
import torch
from sklearn.base import clone
from skorch.toy import MLPModule

LENGTHS = (3, 5, 9)


def net(kind=skorch.NeuralNetClassifier, **options):
    defaults = {
        "module__input_units": 8,
        "module__output_units": 3,
        "module__dropout": 0.3,
        "module__output_nonlin": torch.nn.Identity(),
        "optimizer__momentum": 0.9,
        "lr": 0.1,
        "verbose": 0,
        "batch_size": 32,
        "iterator_train__shuffle": True,
    }
    if "optimizer" in options:
        del defaults["optimizer__momentum"]
    return kind(MLPModule, criterion=torch.nn.CrossEntropyLoss, **defaults | options)


def state(model):
    """All that is to be the same; ``dur`` is measured."""
    history = [{k: v for k, v in row.items() if k not in ("dur", "batches")} for row in model.history]
    optimizers = [getattr(model, f"{name}_").state_dict() for name in model._optimizers]
    return model.module_.state_dict(), optimizers, history


def require_same(found, expected):
    if isinstance(expected, torch.Tensor):
        assert torch.equal(found, expected)
    elif isinstance(expected, dict):
        assert list(found) == list(expected)
        for key in expected:
            require_same(found[key], expected[key])
    elif isinstance(expected, list | tuple):
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            require_same(one, other)
    else:
        assert found == expected or (found != found and expected != expected)


def at_once(model, tensors, length=LENGTHS[-1], seed=5):
    """What skorch gives by itself."""
    torch.manual_seed(seed)
    return clone(model).set_params(max_epochs=length).fit(*tensors)


def noop(*args, **kwargs):
    pass
