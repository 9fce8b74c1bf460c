"""The list of all checks of samplers."""

from __future__ import annotations

from collections.abc import Callable

from skhpo.samplers import Sampler
from skhpo.testing import _contract, _learning, _robustness

Check = Callable[[Sampler], None]

_OF_ALL: tuple[Check, ...] = (
    _contract.check_points_are_valid,
    _contract.check_proposals_are_in_the_cube,
    _contract.check_values_have_their_types,
    _contract.check_same_seed_same_points,
    _contract.check_runs_do_not_meet,
    _contract.check_global_random_state_is_untouched,
    _contract.check_arguments_are_not_changed,
    _contract.check_replay_equals_original,
    _contract.check_replay_with_resources,
    _contract.check_pickle_in_mid_run,
    _contract.check_pending_is_respected,
    _contract.check_finite_space_is_asked_once,
    _contract.check_one_point_space,
    _robustness.check_constant_scores,
    _robustness.check_all_failures,
    _robustness.check_some_failures,
    _robustness.check_single_success,
    _robustness.check_duplicated_tells,
    _robustness.check_huge_losses,
    _robustness.check_tiny_differences,
    _robustness.check_mixed_resources,
    _robustness.check_fifty_dimensions,
    _robustness.check_categorical_only,
    _robustness.check_ordinal_only,
    _robustness.check_conditional,
    _robustness.check_constant_columns,
    _robustness.check_mixed_space,
)
_OF_SEEDED: tuple[Check, ...] = (_contract.check_other_seed_other_points,)
_OF_LEARNERS: tuple[Check, ...] = (
    _learning.check_beats_random_search,
    _learning.check_stays_away_from_failures,
    _learning.check_prefers_the_better_choice,
    _learning.check_learns_under_halving,
    _learning.check_larger_resources_prevail,
)


def sampler_checks(sampler: Sampler) -> list[Check]:
    """List the checks that a sampler must pass, for ``pytest.mark.parametrize``.

    Parameters
    ----------
    sampler : Sampler
        Asked only what it claims: with ``learns = False`` on its class it need not beat
        random search, with ``uses_seed = False`` it need not differ between seeds.

    Returns
    -------
    checks : list of callable
        Functions of a sampler, which raise ``AssertionError`` or whatever the sampler raises. The
        docstring of each says what it protects against.

    Examples
    --------
    >>> from skhpo.samplers import RandomSampler
    >>> from skhpo.testing import sampler_checks
    >>> checks = sampler_checks(RandomSampler())
    >>> checks[0].__name__
    'check_points_are_valid'
    >>> checks[0](RandomSampler())
    """
    return [
        *_OF_ALL,
        *(_OF_SEEDED if sampler.uses_seed else ()),
        *(_OF_LEARNERS if sampler.learns else ()),
    ]


def check_sampler(sampler: Sampler) -> None:
    """Run all the checks of ``sampler_checks`` and stop at the first that fails.

    All seeds are fixed, so that the verdict on a sampler is always the same.

    Parameters
    ----------
    sampler : Sampler
        As its user would build it; options that make it cheap make the checks cheap.

    Raises
    ------
    TypeError
        If ``sampler`` is not a Sampler.
    AssertionError
        If a check fails. Whatever the sampler itself raises passes through.

    Examples
    --------
    >>> from skhpo.samplers import SobolSampler
    >>> from skhpo.testing import check_sampler
    >>> check_sampler(SobolSampler())
    """
    if not isinstance(sampler, Sampler):
        raise TypeError(f"check_sampler takes a Sampler object, got {sampler!r}.")
    for check in sampler_checks(sampler):
        check(sampler)
