"""Steps of many models at once against ``torch.optim``, which takes them one model after the other."""

import numpy as np
import pytest
import torch
from torch.optim import SGD, Adam, AdamW

from skhpo.torch._optimizers import STACKED, stacked

SHAPES = [(4, 3), (4,), (2, 2, 2)]

CASES = {
    "sgd": (SGD, [{"lr": 0.1}, {"lr": 0.01}, {"lr": 1.0}]),
    "sgd-decay": (SGD, [{"lr": 0.1, "weight_decay": 0.5}, {"lr": 0.1}, {"lr": 0.1, "weight_decay": 1e-4}]),
    "momentum": (
        SGD,
        [
            {"lr": 0.1, "momentum": 0.9},
            {"lr": 0.1},
            {"lr": 0.2, "momentum": 0.5, "dampening": 0.3, "weight_decay": 0.1},
        ],
    ),
    "nesterov": (
        SGD,
        [{"lr": lr, "momentum": mu, "nesterov": True} for lr, mu in [(0.1, 0.9), (0.01, 0.1), (0.3, 0.99)]],
    ),
    "sgd-maximize": (SGD, [{"lr": lr, "momentum": 0.9, "maximize": True} for lr in (0.1, 0.2, 0.3)]),
    "adam": (Adam, [{"lr": 0.1}, {"lr": 0.01, "betas": (0.5, 0.9)}, {"lr": 0.1, "eps": 0.1}]),
    "adam-decay": (Adam, [{"lr": 0.1, "weight_decay": w} for w in (0.0, 0.1, 1.0)]),
    "adam-maximize": (Adam, [{"lr": 0.1, "weight_decay": w, "maximize": True} for w in (0.0, 0.1, 1.0)]),
    "amsgrad": (
        Adam,
        [{"lr": 0.1, "betas": (0.9, beta), "amsgrad": True} for beta in (0.5, 0.9, 0.999)],
    ),
    "adamw": (AdamW, [{"lr": 0.1}, {"lr": 0.01, "weight_decay": 0.5}, {"lr": 0.1, "weight_decay": 0.0}]),
    "adamw-amsgrad": (AdamW, [{"lr": lr, "betas": (0.5, 0.3), "amsgrad": True} for lr in (0.1, 0.2, 0.3)]),
}


def models(kind, options, seed=0):
    generator = torch.Generator().manual_seed(seed)
    parameters = [
        [torch.nn.Parameter(torch.randn(shape, generator=generator, dtype=torch.float64)) for shape in SHAPES]
        for _ in options
    ]
    return parameters, [kind(own, **given) for own, given in zip(parameters, options, strict=True)]


def flat(tensors):
    return torch.cat([tensor.detach().flatten() for tensor in tensors])


def one_by_one(parameters, optimizers, grads, takes):
    for g, taken in zip(grads, takes, strict=True):
        for k, own in enumerate(parameters):
            if taken[k]:
                parts = g[k].split([p.numel() for p in own])
                for p, part in zip(own, parts, strict=True):
                    p.grad = part.reshape(p.shape).clone()
                optimizers[k].step()


def together(parameters, optimizers, grads, takes):
    theta = torch.stack([flat(own) for own in parameters])
    optimizer = stacked(optimizers, parameters, theta)
    optimizer.schedule(takes)
    for s, g in enumerate(grads):
        optimizer.step(s, g)
    with torch.no_grad():
        for own, row in zip(parameters, theta, strict=True):
            for p, part in zip(own, row.split([p.numel() for p in own]), strict=True):
                p.copy_(part.reshape(p.shape))
    optimizer.write_back()


def states(parameters, optimizers):
    return [
        [
            {name: value for name, value in optimizer.state.get(p, {}).items() if value is not None}
            for p in own
        ]
        for own, optimizer in zip(parameters, optimizers, strict=True)
    ]


def compare(one, other, rtol=1e-12):
    """Parameters and all of the state, of two lists of models."""
    for own, theirs in zip(one[0], other[0], strict=True):
        torch.testing.assert_close(flat(own), flat(theirs), rtol=rtol, atol=rtol)
    assert [[sorted(s) for s in own] for own in states(*one)] == [
        [sorted(s) for s in own] for own in states(*other)
    ]
    for own, theirs in zip(states(*one), states(*other), strict=True):
        for a, b in zip(own, theirs, strict=True):
            for name in a:
                torch.testing.assert_close(a[name], b[name], rtol=rtol, atol=rtol)


@pytest.mark.parametrize("case", CASES)
def test_steps_are_those_of_torch(case):
    kind, options = CASES[case]
    grads = torch.randn(7, 3, 24, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    takes = np.ones((7, 3), dtype=bool)
    alone, stack = models(kind, options), models(kind, options)
    one_by_one(*alone, grads, takes)
    together(*stack, grads, takes)
    compare(stack, alone)


@pytest.mark.parametrize("case", CASES)
def test_a_model_may_sit_out(case):
    kind, options = CASES[case]
    grads = torch.randn(6, 3, 24, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    takes = np.array([[1, 1, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0], [1, 1, 0], [0, 1, 0]], dtype=bool)
    alone, stack = models(kind, options), models(kind, options)
    one_by_one(*alone, grads, takes)
    together(*stack, torch.where(torch.from_numpy(takes).unsqueeze(-1), grads, torch.nan), takes)
    compare(stack, alone)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(
    "first, second", [(one_by_one, together), (together, one_by_one), (together, together)]
)
def test_either_goes_on_from_the_other(case, first, second):
    kind, options = CASES[case]
    grads = torch.randn(8, 3, 24, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    takes = np.ones((8, 3), dtype=bool)
    alone, mixed = models(kind, options), models(kind, options)
    one_by_one(*alone, grads, takes)
    first(*mixed, grads[:3], takes[:3])
    second(*mixed, grads[3:], takes[3:])
    compare(mixed, alone)


def test_a_worked_step_of_adam():
    # With g = 1 both moments, once corrected, are 1: the first step is the learning rate, whatever the betas.
    parameters = [[torch.nn.Parameter(torch.zeros(1, dtype=torch.float64))] for _ in range(2)]
    optimizers = [
        Adam(own, lr=lr, betas=betas, eps=0.0)
        for own, lr, betas in zip(parameters, (0.5, 2.0), [(0.9, 0.999), (0.1, 0.2)], strict=True)
    ]
    together(parameters, optimizers, torch.ones(1, 2, 1, dtype=torch.float64), np.ones((1, 2), dtype=bool))
    assert [float(own[0].detach()) for own in parameters] == pytest.approx([-0.5, -2.0], rel=1e-14)


def test_gradients_are_left_as_they_are():
    for kind in STACKED:
        parameters, optimizers = models(kind, [{"lr": 0.1, "weight_decay": 0.1, "maximize": True}] * 2)
        theta = torch.stack([flat(own) for own in parameters])
        optimizer = stacked(optimizers, parameters, theta)
        optimizer.schedule(np.ones((1, 2), dtype=bool))
        g = torch.ones_like(theta)
        optimizer.step(0, g)
        assert torch.equal(g, torch.ones_like(theta))


def test_state_does_not_hold_on_to_that_of_the_others():
    parameters, optimizers = models(*CASES["adam"])
    together(parameters, optimizers, torch.ones(1, 3, 24, dtype=torch.float64), np.ones((1, 3), dtype=bool))
    value = optimizers[0].state[parameters[0][1]]["exp_avg"]
    assert value.untyped_storage().nbytes() == value.numel() * value.element_size()
