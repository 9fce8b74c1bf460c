"""How many threads linear algebra has."""

from __future__ import annotations

import functools
from contextlib import AbstractContextManager

from threadpoolctl import ThreadpoolController


def one_blas_thread() -> AbstractContextManager[object]:
    """Linear algebra with one thread for a while.

    A sampler's matrices are small, and its threads would wait for each other and for the cores on which the
    workers are busy: eight times as long was measured for a Gaussian process, by
    ``benchmarks/proposal_threads.py``. And what is proposed does not depend on the number of threads.
    """
    return _controller().limit(limits=1, user_api="blas")


@functools.cache
def _controller() -> ThreadpoolController:
    # Looks for the libraries that are loaded, which takes longer than a proposal of TPE.
    return ThreadpoolController()
