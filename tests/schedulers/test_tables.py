"""Tables of rungs and brackets against values worked by hand from Algorithm 1 of Li et al. (2018)."""

import math
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skhpo.schedulers import Rung, bracket_units, hyperband_brackets, resource_ladder

quick = settings(deadline=None, max_examples=100)

# Each bracket as (n_i, r_i). By hand: s_max, then for s = s_max, ..., 0
#   n = ceil((s_max + 1) / (s + 1) * eta^s),  n_i = floor(n / eta^i),  r_i = floor(R / eta^(s - i)).
BY_HAND = {
    # 3^4 = 81: s_max = 4. n = 5/5 * 81; 5/4 * 27 = 33.75; 5/3 * 9 = 15; 5/2 * 3 = 7.5; 5/1 * 1.
    (81, 3): [
        [(81, 1), (27, 3), (9, 9), (3, 27), (1, 81)],
        [(34, 3), (11, 9), (3, 27), (1, 81)],
        [(15, 9), (5, 27), (1, 81)],
        [(8, 27), (2, 81)],
        [(5, 81)],
    ],
    # 3^5 = 243: s_max = 5. n = 243; 6/5 * 81 = 97.2; 6/4 * 27 = 40.5; 6/3 * 9 = 18; 6/2 * 3 = 9; 6.
    # 98 / 3 = 32.7, / 9 = 10.9, / 27 = 3.6, / 81 = 1.2; 41 / 3 = 13.7, / 9 = 4.6, / 27 = 1.5.
    (243, 3): [
        [(243, 1), (81, 3), (27, 9), (9, 27), (3, 81), (1, 243)],
        [(98, 3), (32, 9), (10, 27), (3, 81), (1, 243)],
        [(41, 9), (13, 27), (4, 81), (1, 243)],
        [(18, 27), (6, 81), (2, 243)],
        [(9, 81), (3, 243)],
        [(6, 243)],
    ],
    # 10^3 = 1000: s_max = 3. n = 1000; 4/3 * 100 = 133.3; 4/2 * 10 = 20; 4.
    (1000, 10): [
        [(1000, 1), (100, 10), (10, 100), (1, 1000)],
        [(134, 10), (13, 100), (1, 1000)],
        [(20, 100), (2, 1000)],
        [(4, 1000)],
    ],
    # 2^4 = 16: s_max = 4. n = 16; 5/4 * 8 = 10; 5/3 * 4 = 6.7; 5/2 * 2 = 5; 5.
    (16, 2): [
        [(16, 1), (8, 2), (4, 4), (2, 8), (1, 16)],
        [(10, 2), (5, 4), (2, 8), (1, 16)],
        [(7, 4), (3, 8), (1, 16)],
        [(5, 8), (2, 16)],
        [(5, 16)],
    ],
    # 3^3 = 27: s_max = 3. n = 27; 4/3 * 9 = 12; 4/2 * 3 = 6; 4.
    (27, 3): [
        [(27, 1), (9, 3), (3, 9), (1, 27)],
        [(12, 3), (4, 9), (1, 27)],
        [(6, 9), (2, 27)],
        [(4, 27)],
    ],
    # 4^3 = 64 <= 100 < 256: s_max = 3. Levels 100, 25, 6.25, 1.5625.
    # n = 64; 4/3 * 16 = 21.3; 4/2 * 4 = 8; 4. 22 / 4 = 5.5, / 16 = 1.4.
    (100, 4): [
        [(64, 1), (16, 6), (4, 25), (1, 100)],
        [(22, 6), (5, 25), (1, 100)],
        [(8, 25), (2, 100)],
        [(4, 100)],
    ],
}


def pairs(bracket):
    return [(rung.n_trials, rung.resource) for rung in bracket]


def starts(brackets):
    return [bracket[0].n_trials for bracket in brackets]


@pytest.mark.parametrize(("R", "eta"), BY_HAND)
def test_hyperband_by_hand(R, eta):
    ladder = resource_ladder(1, R, eta)
    brackets = hyperband_brackets(ladder, eta)
    assert [pairs(bracket) for bracket in brackets] == BY_HAND[R, eta]
    assert all(ladder[rung.level] == rung.resource for bracket in brackets for rung in bracket)


def test_levels_are_those_of_the_whole_ladder():
    assert hyperband_brackets((1, 3, 9), 3)[1] == (Rung(5, 3, 1), Rung(1, 9, 2))


def test_units_of_81_and_3_by_hand():
    # By increments (a trial that goes from 27 to 81 costs 54):
    #   81 * 1 + 27 * 2 + 9 * 6 + 3 * 18 + 1 * 54 = 297
    #   34 * 3 + 11 * 6 + 3 * 18 + 1 * 54         = 276
    #   15 * 9 + 5 * 18 + 1 * 54                  = 279
    #   8 * 27 + 2 * 54                           = 324
    #   5 * 81                                    = 405
    # From scratch: 81 + 81 + 81 + 81 + 81, 102 + 99 + 81 + 81, 135 + 135 + 81, 216 + 162, 405.
    brackets = hyperband_brackets(resource_ladder(1, 81, 3), 3)
    assert [bracket_units(bracket) for bracket in brackets] == [297, 276, 279, 324, 405]
    assert sum(map(bracket_units, brackets)) == 1581
    assert [bracket_units(b, from_scratch=True) for b in brackets] == [405, 363, 351, 378, 405]


@pytest.mark.parametrize(
    ("r", "R", "eta", "ladder"),
    [
        (1, 243, 3, (1, 3, 9, 27, 81, 243)),  # floor(log(243) / log(3)) is 4 in floating point.
        (1, 1000, 10, (1, 10, 100, 1000)),
        (2, 100, 4, (6, 25, 100)),  # 100 / 64 = 1.56 is less than 2.
        (7, 100, 4, (25, 100)),
        (26, 100, 4, (100,)),
        (100, 100, 4, (100,)),
        (1, 1, 3, (1,)),
        (1, 5, 1.25, (1, 2, 3, 4, 5)),  # 5, 4, 3.2, 2.56, 2.05, 1.6, 1.3, 1.05; next 0.8.
        (100, 121, 1.1, (100, 110, 121)),  # 121 / 1.21 = 100, while the binary 1.1 squared is above 1.21.
        (4, 25, Fraction(5, 2), (4, 10, 25)),
        (np.int64(4), np.int64(25), np.float64(2.5), (4, 10, 25)),
    ],
)
def test_ladder_by_hand(r, R, eta, ladder):
    assert resource_ladder(r, R, eta) == ladder
    assert all(type(level) is int for level in resource_ladder(r, R, eta))


@quick
@given(st.integers(1, 500), st.integers(0, 5000), st.fractions("5/4", 12, max_denominator=8))
def test_ladder_is_what_its_definition_says(r, more, eta):
    R, (p, q) = r + more, (eta.numerator, eta.denominator)
    s_max = max(s for s in range(60) if r * p**s <= R * q**s)
    ladder = resource_ladder(r, R, eta)
    assert ladder[-1] == R and ladder[0] >= r
    assert all(low < high for low, high in pairwise(ladder))
    # x = floor(R q^k / p^k) if x p^k <= R q^k < (x + 1) p^k.
    for k in range(s_max + 1):
        assert any(x * p**k <= R * q**k < (x + 1) * p**k for x in ladder)
    assert all(any(x * p**k <= R * q**k < (x + 1) * p**k for k in range(s_max + 1)) for x in ladder)


def test_fewer_brackets_are_the_most_exploratory():
    ladder = resource_ladder(1, 81, 3)
    assert hyperband_brackets(ladder, 3, n_brackets=2) == hyperband_brackets(ladder, 3)[:2]
    (halving,) = hyperband_brackets(ladder, 3, n_brackets=1)
    assert pairs(halving) == BY_HAND[81, 3][0]


@pytest.mark.parametrize(
    ("m", "table"),
    [
        (81, [(81, 1), (27, 3), (9, 9), (3, 27), (1, 81)]),
        (200, [(200, 1), (66, 3), (22, 9), (7, 27), (2, 81)]),  # 66.7, 22.2, 7.4, 2.5
        (80, [(80, 3), (26, 9), (8, 27), (2, 81)]),  # 80 / 81 would leave nobody at the top.
        (27, [(27, 3), (9, 9), (3, 27), (1, 81)]),
        (5, [(5, 27), (1, 81)]),
        (2, [(2, 81)]),
        (1, [(1, 81)]),
    ],
)
def test_successive_halving_of_m(m, table):
    (bracket,) = hyperband_brackets(resource_ladder(1, 81, 3), 3, n_brackets=1, n_trials=m)
    assert pairs(bracket) == table


def test_less_than_a_pass_is_split_in_proportion():
    # 81 candidates over 81 + 34 + 15 + 8 + 5 = 143:
    #   45.88, 19.26, 8.50, 4.53, 2.83; rounded down 78, and three more for .88, .83 and .53.
    # 46: 27 <= 46 < 81, three promotions; 19: 9 <= 19 < 27, two; 8 and 5: one; 3: none by its own bracket.
    brackets = hyperband_brackets(resource_ladder(1, 81, 3), 3, n_trials=81)
    assert [pairs(bracket) for bracket in brackets] == [
        [(46, 1), (15, 3), (5, 9), (1, 27), (1, 81)],
        [(19, 3), (6, 9), (2, 27), (1, 81)],
        [(8, 9), (2, 27), (1, 81)],
        [(5, 27), (1, 81)],
        [(3, 81)],
    ]
    # 178 + 183 + 162 + 189 + 243 units: 0.57 of the candidates for 0.60 of the units of a pass.
    assert sum(map(bracket_units, brackets)) == 955


def test_more_candidates_cost_more():
    units = [
        sum(map(bracket_units, hyperband_brackets(resource_ladder(1, 81, 3), 3, n_trials=n)))
        for n in range(1, 300)
    ]
    assert all(low < high + 81 for low, high in pairwise(units))
    assert all(low < high for low, high in zip(units, units[10:], strict=False))
    assert max(units[:142]) < 1581


def test_few_candidates_begin_where_they_are_compared():
    brackets = hyperband_brackets(resource_ladder(1, 81, 3), 3, n_trials=10)
    assert [pairs(bracket) for bracket in brackets] == [
        [(6, 1), (2, 3), (1, 9), (1, 27), (1, 81)],
        [(2, 3), (1, 9), (1, 27), (1, 81)],
        [(1, 81)],
        [(1, 81)],
    ]


def test_more_than_a_pass_begins_another():
    # 200 = 143 + 57; 57: 32.29, 13.55, 5.98, 3.19, 1.99.
    ladder = resource_ladder(1, 81, 3)
    brackets = hyperband_brackets(ladder, 3, n_trials=200)
    assert brackets[:5] == hyperband_brackets(ladder, 3)
    assert starts(brackets[5:]) == [32, 14, 6, 3, 2]
    assert hyperband_brackets(ladder, 3, n_trials=286) == 2 * hyperband_brackets(ladder, 3)


@pytest.mark.parametrize("n_brackets", [None, 1, 3])
def test_a_single_candidate_is_trained_in_full(n_brackets):
    (bracket,) = hyperband_brackets(resource_ladder(1, 81, 3), 3, n_brackets, n_trials=1)
    assert pairs(bracket) == [(1, 81)]


def test_a_ladder_of_one_level_trains_everyone_in_full():
    assert hyperband_brackets((50,), 3) == ((Rung(1, 50, 0),),)
    assert hyperband_brackets((50,), 3, n_trials=7) == ((Rung(7, 50, 0),),)


@quick
@given(
    st.integers(1, 300),
    st.sampled_from([2, 3, 4, Fraction(3, 2), 2.5]),
    st.integers(1, 400),
    st.integers(1, 9),
)
def test_tables_hold_together(R, eta, n_trials, n_brackets):
    ladder = resource_ladder(1, R, eta)
    n_brackets = min(n_brackets, len(ladder))
    brackets = hyperband_brackets(ladder, eta, n_brackets, n_trials)
    assert sum(starts(brackets)) == n_trials
    for bracket in brackets:
        assert [rung.resource for rung in bracket] == list(ladder[bracket[0].level :])
        for i, rung in enumerate(bracket):
            share = bracket[0].n_trials / Fraction(eta) ** i
            assert rung.n_trials == max(1, math.floor(share))


@pytest.mark.parametrize("factor", [1, 1.0, 0.5, 0, -3, True, float("nan"), float("inf")])
def test_factor_out_of_range(factor):
    with pytest.raises(ValueError, match="factor must be"):
        resource_ladder(1, 81, factor)
    with pytest.raises(ValueError, match="factor must be"):
        hyperband_brackets((1, 3), factor)


def test_factor_too_close_to_one():
    with pytest.raises(ValueError, match=r"1,000 steps .* must be larger"):
        resource_ladder(1, 10**6, 1.0001)


@pytest.mark.parametrize(("r", "R"), [(0, 81), (-1, 81), (82, 81), (1, 0)])
def test_resources_out_of_range(r, R):
    with pytest.raises(ValueError, match="min_resources must be between 1 and max_resources"):
        resource_ladder(r, R, 3)


@pytest.mark.parametrize("arguments", [(1.5, 81, 3), (1, 81.0, 3), (1, 81, "3"), (1, 81, None)])
def test_what_is_no_number_is_a_type_error(arguments):
    with pytest.raises(TypeError):
        resource_ladder(*arguments)


@pytest.mark.parametrize("ladder", [(), (0, 3), (3, 3), (3, 1)])
def test_ladder_must_rise(ladder):
    with pytest.raises(ValueError, match="strictly increasing"):
        hyperband_brackets(ladder, 3)


@pytest.mark.parametrize("n_brackets", [0, -1, 4])
def test_number_of_brackets_out_of_range(n_brackets):
    with pytest.raises(ValueError, match="between 1 and the number of levels, 3"):
        hyperband_brackets((1, 3, 9), 3, n_brackets)


def test_number_of_trials_out_of_range():
    with pytest.raises(ValueError, match="n_trials must be at least 1"):
        hyperband_brackets((1, 3, 9), 3, n_trials=0)
