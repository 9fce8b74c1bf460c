"""All the checks of ``skhpo.testing`` over all the samplers."""

import pytest

from skhpo.samplers import make_sampler
from skhpo.testing import sampler_checks

CASES = [
    pytest.param(name, check, id=f"{name}-{check.__name__.removeprefix('check_')}")
    for name in ("random", "sobol", "grid", "tpe", "gp", "cmaes", "auto")
    for check in sampler_checks(make_sampler(name))
]


@pytest.mark.parametrize(("name", "check"), CASES)
def test_sampler(name, check):
    check(make_sampler(name))
