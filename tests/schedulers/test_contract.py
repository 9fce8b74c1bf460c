"""Every scheduler passes the public checks."""

import pytest

from skhpo.schedulers import ASHA, EveryoneInFull, Hyperband, hyperband_brackets, resource_ladder
from skhpo.testing import scheduler_checks

LADDER = resource_ladder(1, 27, 3)
SCHEDULERS = {
    "everyone in full": lambda: EveryoneInFull(30),
    "everyone in full, open end": lambda: EveryoneInFull(None),
    "Hyperband": lambda: Hyperband(hyperband_brackets(LADDER, 3)),
    "Hyperband, 30 trials": lambda: Hyperband(hyperband_brackets(LADDER, 3, n_trials=30)),
    "successive halving": lambda: Hyperband(hyperband_brackets(LADDER, 3, n_brackets=1)),
    "ASHA": lambda: ASHA(LADDER, 3, n_trials=30),
    "ASHA, open end": lambda: ASHA(LADDER, 3),
    "ASHA, several brackets": lambda: ASHA(LADDER, 2.5, n_trials=35, brackets=4),
}


@pytest.mark.parametrize("check", scheduler_checks(), ids=lambda check: check.__name__)
@pytest.mark.parametrize("make_scheduler", SCHEDULERS.values(), ids=SCHEDULERS.keys())
def test_contract(make_scheduler, check):
    check(make_scheduler)
