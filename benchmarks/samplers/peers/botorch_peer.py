"""BoTorch: ``SingleTaskGP`` and ``qLogNoisyExpectedImprovement`` in the loop of its closed-loop tutorial.

Ten Sobol points, then one point after the other with ten restarts from 512 samples. Parameters are positions
in the unit cube (a logarithmic axis in its logarithm), choices one-hot; integers and choices are rounded
before they are evaluated and told. Conditional axes are always there.
"""

from __future__ import annotations

import warnings

import numpy as np
import torch
from botorch.acquisition import qLogNoisyExpectedImprovement
from botorch.fit import fit_gpytorch_mll
from botorch.models import SingleTaskGP
from botorch.models.transforms import Standardize
from botorch.optim import optimize_acqf
from gpytorch.mlls import ExactMarginalLogLikelihood
from torch.quasirandom import SobolEngine

from ..axes import Axes, Value, active
from . import Evaluate, Job

N_INITIAL = 10


def _width(axes: Axes) -> int:
    return sum(len(axis.choices) if axis.kind == "categorical" else 1 for axis in axes)


def _read(axes: Axes, x: np.ndarray) -> tuple[dict[str, Value], np.ndarray]:
    """Parameters of a point, and the point that stands for just these parameters."""
    params: dict[str, Value] = {}
    rounded = []
    start = 0
    for axis in axes:
        if axis.kind == "categorical":
            n = len(axis.choices)
            level = int(np.argmax(x[start : start + n]))
            params[axis.name] = axis.choices[level]
            rounded.append(np.eye(n)[level])
            start += n
        else:
            params[axis.name] = axis.at(float(x[start]))
            rounded.append(np.array([axis.position(params[axis.name])]))
            start += 1
    return params, np.concatenate(rounded)


def _suggest(X: torch.Tensor, y: torch.Tensor) -> np.ndarray:
    model = SingleTaskGP(X, y, outcome_transform=Standardize(m=1))
    fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model))
    acquisition = qLogNoisyExpectedImprovement(model, X_baseline=X, prune_baseline=True)
    bounds = torch.stack([torch.zeros(X.shape[1]), torch.ones(X.shape[1])]).to(X)
    point, _ = optimize_acqf(
        acquisition, bounds, q=1, num_restarts=10, raw_samples=512,
        options={"batch_limit": 5, "maxiter": 200},
    )  # fmt: skip
    return point[0].detach().numpy()


def minimise(option: str, job: Job, evaluate: Evaluate) -> None:
    torch.manual_seed(job.seed)
    torch.set_num_threads(1)
    design = SobolEngine(_width(job.axes), scramble=True, seed=job.seed).draw(N_INITIAL, dtype=torch.double)
    X: list[np.ndarray] = []
    y: list[float] = []
    for k in range(job.n):
        if k < N_INITIAL:
            x = design[k].numpy()
        else:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                # It maximises.
                x = _suggest(torch.tensor(np.array(X)), -torch.tensor(y, dtype=torch.double)[:, None])
        params, told = _read(job.axes, x)
        y.append(evaluate(active(job.axes, params)))
        X.append(told)
