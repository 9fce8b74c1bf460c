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
