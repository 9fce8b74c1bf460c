"""A journal that somebody else made: read as text, and nothing in it is done."""

import pickle
import shutil
import sqlite3
from contextlib import closing

import pytest

from skhpo._records import Began, Evaluation, Job, Trial
from skhpo.journal import SQLiteJournal, read
from skhpo.journal import __main__ as program
from skhpo.journal._file import FIRST, chain
from skhpo.journal._reading import look


class Bomb:
    """What would leave a mark if it were unpickled."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return open, (self.mark, "w")


@pytest.fixture
def mark(tmp_path):
    """A file that must never come to be."""
    mark = tmp_path / "mark"
    with pytest.raises(FileNotFoundError):
        mark.stat()
    yield mark
    assert not mark.exists()


def charges(mark):
    """Text that does something to whoever takes it for more."""
    pickled = pickle.dumps(Bomb(str(mark)), protocol=0).decode("ascii")
    return [
        pickled,
        "'); DROP TABLE record; --",
        f"'; ATTACH DATABASE '{mark}' AS x; CREATE TABLE x.y (z); --",
        "<script>alert(1)</script>\x1b]0;title\x07\x1b[2J\x9b31m\x00\u202e",
        f"__import__('os').mkdir({str(mark)!r})",
        '{"$failed":"nan"}',
        "=HYPERLINK(1)",
    ]


def test_the_bomb_works(tmp_path):
    """Or else the tests below would show nothing."""
    charge = charges(tmp_path / "mark")[0]
    pickle.loads(charge.encode("ascii")).close()
    assert (tmp_path / "mark").exists()


def test_in_every_text_that_a_search_writes(tmp_path, mark, capsys, past):
    for i, charge in enumerate(charges(mark)):
        path = tmp_path / f"{i}.db"
        about = {
            "search": charge,
            "estimator": charge,
            "metric": charge,
            "parameters": [charge],
            charge: charge,
        }
        with SQLiteJournal(path) as journal:
            journal.identify(7, {"data": charge, charge: charge}, {**about, "n_folds": 1})
            journal.append(Began(Job(0), Trial(0, (0.5,), {charge: charge, "$repr": [charge]})))
            outcome = {"test_scores": {charge: 0.5}, "fit_error": charge, "fit_time": 1.0}
            journal.append(Evaluation(Job(0), 0, outcome))
        with SQLiteJournal(path) as journal:
            assert journal.past[1].outcome == outcome
            with pytest.raises(ValueError) as raised:
                journal.identify(7, {"data": "x"}, about)
            assert "\x1b" not in str(raised.value)
        table = read(path)
        assert table[f"test_{charge}"] == [0.5]
        assert table["error"] == [charge]
        assert table[f"param_{charge}"] == [charge]
        assert look(path).about[charge] == charge
        for option in ([], ["--csv"]):
            assert program.main([str(path), *option]) == 0
            shown = capsys.readouterr().out
            assert not [c for c in shown if c not in "\n\t" and (ord(c) < 32 or 127 <= ord(c) < 160)]


@pytest.mark.parametrize("column", ["kind", "payload", "checksum", "elapsed", "time"])
@pytest.mark.parametrize("seq", [0, 2])
@pytest.mark.parametrize("known", [True, False], ids=["forged", "changed"])
def test_in_every_column_of_the_file(tmp_path, mark, make, column, seq, known):
    """Also by somebody who knows how to make the checksums."""
    original = make(tmp_path / "original.db")
    for i, charge in enumerate(charges(mark)):
        path = shutil.copy(original, tmp_path / f"{i}.db")
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute(f"UPDATE record SET {column} = ? WHERE seq = ?", (charge, seq))
            rows = connection.execute("SELECT * FROM record ORDER BY seq").fetchall()
            checksum = FIRST
            for row in rows if known and column != "checksum" else []:
                checksum = chain(checksum, *row[:5])
                connection.execute("UPDATE record SET checksum = ? WHERE seq = ?", (checksum, row[0]))
        for attempt in (SQLiteJournal, read, look):
            with pytest.raises(ValueError, match="is damaged"):
                attempt(path)
        with closing(sqlite3.connect(path)) as connection:
            assert connection.execute("SELECT count(*) FROM record").fetchone() == (10,)


def test_nothing_in_the_room_unpickles_or_evaluates():
    """By the words of its sources, as far as words can show it."""
    from pathlib import Path

    import skhpo.journal

    for source in Path(skhpo.journal.__file__).parent.glob("*.py"):
        text = source.read_text("utf-8")
        for word in ("import pickle", "joblib", "eval(", "exec(", "enable_load_extension", "import_module"):
            assert word not in text, (source.name, word)
