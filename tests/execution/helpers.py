"""What several tests of workers use."""

import time


def collect(workers, n):
    """Results of the next n tasks in order of completion; what was raised in place of a result."""
    results = {}
    for _ in range(n):
        ended = workers.next_finished(timeout=40)
        assert ended is not None, f"no task ended; so far {results}"
        token, retrieve = ended
        try:
            results[token] = retrieve()
        except Exception as error:
            results[token] = error
    return results


def wait_until(condition, seconds=20):
    """Look until it is so; an error if it does not come to be."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def drain(executor, calls, check=lambda: None):
    """Work through calls as a search does, never more than there are workers; what came of each token.

    ``check`` is called after every step.
    """
    waiting, results = dict(calls), {}
    while waiting or executor.n_running:
        while waiting and executor.n_running < executor.n_workers:
            token = next(iter(waiting))
            executor.submit(token, waiting.pop(token))
            check()
        token, retrieve = executor.wait()
        assert token not in results
        try:
            results[token] = retrieve()
        except Exception as error:
            results[token] = error
        check()
    return results
