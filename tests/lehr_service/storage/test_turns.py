"""Transactions: what is stored by them, and what is not."""

import pytest
from sqlalchemy import Integer, bindparam, column, select, table, text
from sqlalchemy.exc import DBAPIError

from lehr_service.storage.questions import Question, ask_all
from lehr_service.storage.studies import attrs

_NOTES = table("notes", column("number", Integer))
_NUMBERS = select(_NOTES).where(_NOTES.c.number >= bindparam("least"))


class Undone(Exception):
    """Some error of an act."""


def put(connection, number):
    connection.execute(text(f"INSERT INTO notes VALUES ({number})"))


def stored(database):
    with database.read() as connection:
        return list(connection.scalars(text("SELECT number FROM notes ORDER BY number")))


@pytest.fixture
def notes(database):
    with database.write() as connection:
        connection.execute(text("CREATE TABLE notes (number INTEGER PRIMARY KEY)"))
    return database


def test_a_turn_is_stored_at_its_end(notes):
    with notes.turn([attrs(1)]) as turn:
        put(turn.connection, 1)
        with turn.closing():
            put(turn.connection, 2)
    assert turn.answers == [{}]
    assert stored(notes) == [1, 2]


def fails_before_its_end(turn):
    put(turn.connection, 1)
    raise Undone


def fails_at_its_end(turn):
    put(turn.connection, 1)
    with turn.closing():
        put(turn.connection, 2)
        raise Undone


@pytest.mark.parametrize("fails", [fails_before_its_end, fails_at_its_end])
def test_an_error_undoes_all_of_a_turn(notes, fails):
    with pytest.raises(Undone), notes.turn([]) as turn:
        fails(turn)
    assert stored(notes) == []


def test_a_refused_statement_leaves_the_connection_as_it_was(notes):
    with notes.write() as connection:
        put(connection, 1)

    def doubles():
        with notes.turn([]) as turn, turn.closing():
            put(turn.connection, 2)
            put(turn.connection, 1)

    for _ in range(3):
        with pytest.raises(DBAPIError):
            doubles()
        with notes.turn([]) as turn, turn.closing():
            pass
    with notes.write() as connection:
        put(connection, 3)
    assert stored(notes) == [1, 3]


def test_other_transactions_are_undone_as_well(notes):
    def fails(connection):
        put(connection, 1)
        raise Undone

    with pytest.raises(Undone), notes.write() as connection:
        fails(connection)
    with notes._writer.connect() as connection:  # as migrations do
        put(connection, 2)
        connection.rollback()
        put(connection, 3)
        connection.commit()
        put(connection, 4)
    assert stored(notes) == [3]


def test_questions_see_what_was_written_before_them(notes):
    numbers = Question(_NUMBERS, {"least": 1}, read=lambda rows: [row["number"] for row in rows])
    with notes.write() as connection:
        put(connection, 0)
        put(connection, 1)
        assert ask_all(connection, [numbers, numbers]) == [[1], [1]]
