"""Files that are not what was written to them: an error, or the very same events, and never others."""

import os
import random
import shutil
import sqlite3
from contextlib import closing

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from skhpo._records import Evaluation, Job
from skhpo.journal import SQLiteJournal, read

ONCE = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("damage")


@pytest.fixture
def original(folder, make, events):
    """A journal of several pages, at rest."""
    path = folder / "original.db"
    if not path.exists():
        more = [
            Evaluation(Job(9), fold, {"test_scores": 0.01 * fold, "fit_error": "x" * 99})
            for fold in range(60)
        ]
        make(path, [*events, *more])
    return path


@pytest.fixture
def copy(original, folder):
    """A fresh copy, in place of the last one."""

    def copy():
        path = folder / "copy.db"
        for leftover in folder.glob("copy.db*"):
            leftover.unlink()
        shutil.copy(original, path)
        return path

    return copy


@given(data=st.data())
@ONCE
def test_a_flipped_byte_is_an_error_or_without_effect(data, original, copy, past):
    expected, path = past(original), copy()
    contents = bytearray(path.read_bytes())
    assert len(contents) >= 3 * 4096
    # Pages' heads and the first page hold the database's own book-keeping: more often looked at.
    place = data.draw(
        st.integers(0, len(contents) - 1)
        | st.integers(0, 200)
        | st.builds(
            lambda page, i: 4096 * page + i, st.integers(0, len(contents) // 4096 - 1), st.integers(0, 40)
        )
    )
    contents[place] ^= data.draw(st.integers(1, 255))
    path.write_bytes(contents)
    try:
        found = past(path)
    except (ValueError, OSError) as error:
        assert str(path) in str(error)
    else:
        assert found == expected


def test_every_byte_of_a_record_is_covered(original, copy, past):
    """The same without chance, for each byte of the last page's records."""
    contents = original.read_bytes()
    start = contents.index(b'{"job":[9,null,0,0],"fold":59')
    assert contents[start - 50 : start].count(b"evaluation") == 1
    for place in range(start - 10, start + 150, 3):
        changed = bytearray(contents)
        changed[place] ^= 1
        path = copy()
        path.write_bytes(changed)
        with pytest.raises(ValueError, match="record 69 "):
            past(path)


@given(size=st.integers(0, 1) | st.floats(0, 1))
@ONCE
def test_a_torn_file_is_an_error(size, original, copy, past):
    path = copy()
    whole = path.stat().st_size
    size = int(size * whole)
    os.truncate(path, size)
    if size in (0, whole):
        assert past(path) == (past(original) if size else [])
    else:
        with pytest.raises(ValueError, match=r"is damaged|is no journal"):
            past(path)


@pytest.mark.parametrize(
    ("column", "statement"),
    [
        ("elapsed", "UPDATE record SET elapsed = elapsed + 0.001 WHERE seq = 4"),
        ("time", "UPDATE record SET time = time + 1 WHERE seq = 4"),
        ("kind", "UPDATE record SET kind = 'ended' WHERE seq = 4"),
        ("kind", "UPDATE record SET kind = 'about' WHERE seq = 4"),
        ("payload", "UPDATE record SET payload = replace(payload, '0.75', '0.85') WHERE seq = 4"),
        ("payload", "UPDATE record SET payload = payload || ' ' WHERE seq = 4"),
        ("payload", "UPDATE record SET payload = CAST(payload AS BLOB) WHERE seq = 4"),
        ("checksum", "UPDATE record SET checksum = 'ffffffffffffffff' WHERE seq = 4"),
        ("swap", "UPDATE record SET seq = CASE seq WHEN 4 THEN -5 ELSE -4 END WHERE seq IN (4, 5)"),
        ("removed", "DELETE FROM record WHERE seq = 4"),
        ("removed and closed up", "DELETE FROM record WHERE seq = 4"),
        ("inserted", "UPDATE record SET seq = -seq WHERE seq > 4"),
        ("header", "UPDATE record SET payload = replace(payload, '\"seed\":7', '\"seed\":8') WHERE seq = 0"),
        ("header gone", "DELETE FROM record WHERE seq = 0"),
        ("null", "UPDATE record SET elapsed = 'x' WHERE seq = 4"),
    ],
)
def test_a_changed_column_is_an_error(column, statement, copy, past, execute):
    path, more = copy(), []
    if column == "swap":
        more = ["UPDATE record SET seq = -seq WHERE seq < 0"]
    if column == "removed and closed up":
        more = [
            "UPDATE record SET seq = -seq WHERE seq > 4",
            "UPDATE record SET seq = -seq - 1 WHERE seq < 0",
        ]
    if column == "inserted":
        more = [
            "UPDATE record SET seq = 1 - seq WHERE seq < 0",
            "INSERT INTO record SELECT 5, elapsed, time, kind, payload, checksum FROM record WHERE seq = 4",
        ]
    number = {"inserted": 5}.get(column, 0 if column.startswith("header") else 4)
    execute(path, statement, *more)
    for attempt in (past, read):
        with pytest.raises(
            ValueError, match=rf"is damaged, and nothing of it is used: record {number} .*aside"
        ):
            attempt(path)


@given(seed=st.integers(0))
@ONCE
def test_a_changed_digit_is_an_error(seed, copy, past, execute):
    draw, path = random.Random(seed), copy()
    seq = draw.randrange(70)
    with closing(sqlite3.connect(path)) as connection:
        (payload,) = connection.execute("SELECT payload FROM record WHERE seq = ?", (seq,)).fetchone()
    digits = [i for i, character in enumerate(payload) if character.isdigit()]
    if not digits:
        return
    place = draw.choice(digits)
    digit = draw.choice([d for d in "0123456789" if d != payload[place]])
    changed = payload[:place] + digit + payload[place + 1 :]
    execute(path, ("UPDATE record SET payload = ? WHERE seq = ?", (changed, seq)))
    with pytest.raises(ValueError, match=f"record {seq} is not what was written"):
        past(path)


def test_a_lost_end_is_a_shorter_journal(copy, original, past, execute):
    path = copy()
    execute(path, "DELETE FROM record WHERE seq > 5")
    assert past(path) == past(original)[:5]
    with SQLiteJournal(path) as journal:
        journal.identify(7, {"data": "blake2b:00", "versions": "'skhpo 0.1'"}, {})
        journal.append(Evaluation(Job(1), 1, {"test_scores": 0.5}))
    # The other "about" of this run is a record of its own, and no event.
    assert past(path)[:5] == past(original)[:5]
    assert len(past(path)) == 6


def test_a_file_without_any_record_is_a_new_journal(copy, make, past, written, execute):
    path = copy()
    execute(path, "DELETE FROM record")
    make(path)
    assert past(path) == written


@pytest.mark.parametrize("contents", [b"\0" * 5000, b"not a database at all", bytes(range(256)) * 40])
def test_other_files_are_refused_and_left_alone(tmp_path, contents, past):
    path = tmp_path / "search.db"
    path.write_bytes(contents)
    for attempt in (past, read):
        with pytest.raises(ValueError, match=r"is no journal of skhpo .*left as it is"):
            attempt(path)
    assert path.read_bytes() == contents
    assert os.listdir(tmp_path) == ["search.db"]


@pytest.mark.parametrize("version", [0, 7])
def test_other_databases_are_refused_and_left_alone(tmp_path, past, execute, version):
    path = tmp_path / "search.db"
    execute(path, "CREATE TABLE record (seq INTEGER)", f"PRAGMA user_version = {version}")
    before = path.read_bytes()
    for attempt in (past, read):
        with pytest.raises(ValueError, match=r"is no journal of skhpo \(it is a database of another program"):
            attempt(path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["search.db"]


def test_a_newer_format_says_so(copy, past, execute):
    path = copy()
    execute(path, "PRAGMA user_version = 2", "CREATE TABLE more (x)")
    for attempt in (past, read):
        with pytest.raises(ValueError, match=r"written by a newer skhpo, in format 2; .* formats up to 1"):
            attempt(path)


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TRIGGER t AFTER INSERT ON record BEGIN DELETE FROM record; END",
        "CREATE VIEW v AS SELECT load_extension('x')",
        "CREATE TABLE more (x)",
        "CREATE INDEX i ON record (elapsed)",
        "ALTER TABLE record ADD COLUMN x AS (abs(seq))",
        "ALTER TABLE record RENAME TO other",
    ],
)
def test_nothing_hides_in_the_schema(copy, past, execute, statement):
    path = copy()
    execute(path, statement)
    for attempt in (past, read):
        with pytest.raises(ValueError, match="its tables are not those of a journal"):
            attempt(path)
