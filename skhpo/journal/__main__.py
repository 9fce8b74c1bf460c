"""``python -m skhpo.journal search.db``: how far a search has come, from another terminal."""

from __future__ import annotations

import argparse
import csv
import os
import sys
import time
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any, TextIO

from skhpo.journal._reading import State, look, read


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the state of a search, and return the exit code.

    Parameters
    ----------
    arguments : sequence of str, default=None
        Of the command line; None takes the program's own.

    Returns
    -------
    code : int
        0; 1 if the file could not be read.
    """
    parser = argparse.ArgumentParser(
        prog="python -m skhpo.journal",
        description="Print how far a search has come, from the journal that it was given as storage.",
    )
    parser.add_argument("journal", help="the file")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--csv", action="store_true", help="print the finished tasks as a table instead")
    what.add_argument(
        "--watch",
        type=_seconds,
        metavar="SECONDS",
        help="print again every so often, until the search has stopped",
    )
    options = parser.parse_args(arguments)
    try:
        if options.csv:
            write_csv(read(options.journal), sys.stdout)
            return 0
        while True:
            state = look(options.journal)
            print(describe(options.journal, state), flush=True)
            if options.watch is None or not state.running:
                return 0
            time.sleep(options.watch)
            print()
    except KeyboardInterrupt:
        return 0
    except BrokenPipeError:
        # Whoever read the output has seen enough; nothing is left to be flushed at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (ValueError, OSError) as error:
        # An error of ours is told without the system's number for it.
        text = error.strerror if isinstance(error, OSError) and error.filename is None else None
        print(f"error: {printable(text or error)}", file=sys.stderr)
        return 1


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"a positive number of seconds is needed, got {text!r}")
    return seconds


def printable(value: Any, *, keep: str = "") -> str:
    """Text without control characters, which could make a terminal do things; ``keep`` are let through."""
    return "".join(
        character
        if character in keep or unicodedata.category(character)[0] != "C"
        else "\N{REPLACEMENT CHARACTER}"
        for character in str(value)
    )


def describe(path: str, state: State) -> str:
    """The state of a search in a few lines.

    Parameters
    ----------
    path : str
    state : State

    Returns
    -------
    text : str
    """
    about = state.about
    n_workers = about.get("n_workers")
    lines = [("journal", path)]
    lines.append(("search", f"{about.get('search', 'of unknown class')} of {about.get('estimator', '?')}"))
    lines.append(("state", f"{_condition(state)}; last record {duration(state.silent)} ago"))
    known = about.get("n_candidates")
    of = (
        f" of {'at most ' if state.running or not state.complete else ''}{known}" if known is not None else ""
    )
    lines.append(("candidates", f"{state.n_candidates_done} finished, {state.n_candidates} begun{of}"))
    lines.append(("tasks", _tasks(state, n_workers)))
    if state.best is None:
        lines.append(("best so far", "none: no candidate is complete yet without a failure"))
    else:
        best, top = state.best, about.get("max_resources")
        where = "" if best.resource is None else f", resource {best.resource}" + (f" of {top}" if top else "")
        folds = f" over {about['n_folds']} folds" if "n_folds" in about else ""
        score = f"mean {about.get('metric') or 'score'} {best.score:.6g}{folds}"
        lines.append(("best so far", f"{score}, candidate {best.candidate}{where}"))
        lines += [("", f"{name} = {_value(value)}") for name, value in state.best.params.items()]
    spent = duration(state.elapsed)
    if not state.complete and state.left is not None:
        verb = "about" if state.running else "if continued about"
        spent += f", {verb} {duration(state.left)} to go"
    lines.append(("time", spent))
    return "\n".join(f"{name:<12} {printable(text)}".rstrip() for name, text in lines)


def _condition(state: State) -> str:
    if state.running:
        return "running"
    return "complete" if state.complete else "not running; calling fit again continues it"


def _tasks(state: State, n_workers: Any) -> str:
    text = f"{state.n_tasks_done} done"
    if state.n_tasks is not None and not state.complete:
        text += f" of at most {state.n_tasks}"
    if state.n_tasks_open:
        if not state.running:
            text += f", {state.n_tasks_open} begun and not finished"
        elif isinstance(n_workers, int):
            n_busy = min(n_workers, state.n_tasks_open)
            text += f", {n_busy} running on {n_workers} worker{'s' * (n_workers != 1)}"
        else:
            text += f", {state.n_tasks_open} running or about to"
    return text + f", {state.n_failures} failed"


def _value(value: Any) -> str:
    return value if isinstance(value, str) else repr(value)


def duration(seconds: float) -> str:
    """Seconds in the two largest units that they have.

    Examples
    --------
    >>> duration(3725.2), duration(61), duration(0.25)
    ('1 h 2 min', '1 min 1 s', '0.2 s')
    """
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    units = [("d", 86400), ("h", 3600), ("min", 60), ("s", 1)]
    parts: list[str] = []
    for name, length in units:
        count, whole = divmod(whole, length)
        if count or parts:
            parts.append(f"{count} {name}")
    return " ".join(parts[:2])


def write_csv(columns: dict[str, list[Any]], file: TextIO) -> None:
    """Write a table as CSV of which a spreadsheet takes no cell for a formula.

    Parameters
    ----------
    columns : dict of str to list
    file : text file
    """
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(map(_cell, columns))
    writer.writerows(map(_cell, row) for row in _rows(columns))


def _rows(columns: dict[str, list[Any]]) -> Iterable[tuple[Any, ...]]:
    return zip(*columns.values(), strict=True)


def _cell(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    text = printable(value, keep="\n\t")
    return "'" + text if text[:1] in set("=+-@\t\n") else text


if __name__ == "__main__":
    sys.exit(main())
