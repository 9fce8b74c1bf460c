"""The only file that touches joblib's interface for authors of backends.

``joblib.Parallel`` draws its tasks from an iterator, ahead of time and in a thread of its own. A search
that decides on its next task with the last result in hand cannot be such an iterator, so it hands
tasks to the backend one by one, as ``Parallel`` itself does inside.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from queue import SimpleQueue
from typing import Any

from joblib import Parallel
from joblib._parallel_backends import LokyBackend
from joblib.parallel import BatchedCalls

from skhpo._sklearn import carry_configuration


class JoblibPool:
    """Workers of the active joblib backend, one task at a time each.

    Parameters
    ----------
    n_jobs : int or None
        As for ``joblib.Parallel``.

    Attributes
    ----------
    n_workers : int
        1 where the backend fell back to sequential work; such a pool takes no tasks.
    in_process : bool
        Whether the workers are threads of this process.

    Raises
    ------
    ValueError
        If ``n_jobs`` is 0, or the backend does not tell when a task is done.
    """

    def __init__(self, n_jobs: int | None) -> None:
        self._finished: SimpleQueue[tuple[Any, Any]] = SimpleQueue()
        self._wrapped: dict[Callable[..., Any], Callable[..., Any]] = {}
        self._parallel = Parallel(n_jobs=n_jobs)
        self._parallel.__enter__()
        try:
            self._backend = self._parallel._backend
            self.n_workers = self._parallel._effective_n_jobs()
            self.in_process = bool(getattr(self._backend, "supports_sharedmem", False))
            if self.n_workers > 1:
                self._check_backend()
                self._backend.start_call()
        except BaseException:
            self._parallel.__exit__(None, None, None)
            raise

    def submit(
        self, token: Any, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        """Start a call on a free worker."""
        if function not in self._wrapped:
            self._wrapped[function] = carry_configuration(function)
        batch = BatchedCalls(
            [(self._wrapped[function], args, kwargs)],
            self._backend.get_nested_backend(),
            self._use_own_memmaps if isinstance(self._backend, LokyBackend) else None,
        )
        self._backend.submit(batch, callback=partial(self._on_done, token))

    def next_finished(self) -> tuple[Any, Callable[[], Any]]:
        """Token of the next finished call, and a function that returns or raises what came of it."""
        token, out = self._finished.get()
        return token, partial(self._retrieve, out)

    def close(self, *, abort: bool) -> None:
        """Release the workers, or kill what still runs on them."""
        if abort:
            self._backend.abort_everything(ensure_ready=False)
        elif self.n_workers > 1:
            self._backend.stop_call()
        self._parallel.__exit__(None, None, None)

    def _check_backend(self) -> None:
        if not self._backend.supports_retrieve_callback:
            raise ValueError(
                f"The joblib backend {type(self._backend).__name__} does not call back when a task is "
                "done, so no search can run on it. Allowed are backends with "
                "supports_retrieve_callback=True, as loky, threading, multiprocessing and dask have."
            )

    def _on_done(self, token: Any, out: Any) -> None:
        # Runs in a thread of the backend: only the queue is touched here.
        self._finished.put((token, out))

    def _retrieve(self, out: Any) -> Any:
        (result,) = self._backend.retrieve_result_callback(out)
        return result

    def _use_own_memmaps(self) -> None:
        # Loky's workers are shared by all Parallel objects of this process; the folder of memory maps
        # must be this pool's whenever one of its tasks is pickled.
        self._backend._workers._temp_folder_manager.set_current_context(self._parallel._id)
