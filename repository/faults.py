"""Whose fault it is, as Postgres tells it: a server's, somebody's lock, the moment's, or perhaps the request's own.

Read with docs/decisions/attempts-and-pauses.md. Here is what a fault alone tells; what it does not tell, a trial does.
"""

from enum import Enum, auto

import asyncpg

from repository.database import AWAY_FAULTS, LOCK_FAULTS, PASSING_FAULTS, DatabaseFault

SAYS_CHARS_MAX = 300

# Whatever Postgres, or the connection to it, may raise. Outside of an order's own statements each of them is a pause.
POSTGRES_FAULTS = (*PASSING_FAULTS, asyncpg.PostgresError, asyncpg.InterfaceError)

# Classes of SQLSTATE of what does not fit, and would fit nowhere. A sequence that has come to its end is no such thing.
_REQUESTS = ("22", "23")
_NOT_REQUESTS = ("2200H",)

# Classes whose messages may quote what was to be written.
_QUOTING = ("22", "23", "P0")

# What mends it, by SQLSTATE or its class; the longer name counts.
_FIXES = {
    "3D": "let ORDERS_POSTGRES_URL name a database that there is",
    "28": "let ORDERS_POSTGRES_URL name a user and a password that Postgres takes, from this machine",
    "2200H": "let the sequence go on: ALTER SEQUENCE … NO MAXVALUE",
    "25006": "let ORDERS_POSTGRES_URL name the primary: this one takes no writes",
    "42501": "give the user of ORDERS_POSTGRES_URL its rights on the tables back",
    "42P01": "put the table back, or let `orders migrate` make it",
    "3F": "put the schema back, or let search_path name it",
    "53100": "make room on the disk of Postgres",
    "53200": "give Postgres more memory, or fewer connections",
    "53300": "raise max_connections, or run fewer workers",
    "54": "look into the log of Postgres; for wraparound: VACUUM, by an administrator",
    "55000": "let the database take connections again: ALTER DATABASE … ALLOW_CONNECTIONS true",
    "55P03": "end the session that holds the lock: `orders doctor` names it",
    "57": "wait until Postgres has started, or start it",
    "58": "look into the log of Postgres: its disk or its files are in trouble",
    "XX": "look into the log of Postgres: an index or a file is damaged",
}


class Blame(Enum):
    """Whose fault it is."""

    SERVER = auto()  # no request would fare better
    LOCK = auto()  # somebody holds what this request needs
    REQUEST = auto()
    UNKNOWN = auto()  # the server's, if what was placed before fails in the same way


def blame_of(error: BaseException) -> Blame:
    """Say whose fault it is, as far as the fault alone tells it. A bug of ours is the request's that it came with."""
    if isinstance(error, AWAY_FAULTS):
        return Blame.SERVER
    if isinstance(error, LOCK_FAULTS):
        return Blame.LOCK
    state = sqlstate_of(error)
    if not isinstance(error, POSTGRES_FAULTS) or (state.startswith(_REQUESTS) and state not in _NOT_REQUESTS):
        return Blame.REQUEST
    return Blame.UNKNOWN


def sqlstate_of(error: BaseException) -> str:
    """Return the five characters that Postgres names its fault by; "" where it is none of Postgres'."""
    return getattr(error, "sqlstate", None) or "" if isinstance(error, asyncpg.PostgresError) else ""


def is_same_fault(one: BaseException, other: BaseException) -> bool:
    return type(one) is type(other) and sqlstate_of(one) == sqlstate_of(other)


def says(error: BaseException) -> str:
    """Quote what Postgres says, on one line; nothing where that could quote what was to be written."""
    if isinstance(error, DatabaseFault):
        return error.says
    if not isinstance(error, asyncpg.PostgresError) or sqlstate_of(error).startswith(_QUOTING):
        return ""
    return " ".join(str(error.args[0]).split())[:SAYS_CHARS_MAX] if error.args else ""


def in_words(error: BaseException) -> str:
    """Say what went wrong, in a line, with Postgres' own words and its SQLSTATE as far as they may be shown."""
    if isinstance(error, DatabaseFault):
        return error.says
    if state := sqlstate_of(error):
        return f"{says(error) or type(error).__name__}, SQLSTATE {state}"
    # Of a time that is over it says nothing.
    text = str(error) or ("no answer in time" if isinstance(error, TimeoutError) else "it does not say why")
    return f"{type(error).__name__}: {text}"


def fix_of(error: BaseException) -> str:
    """Say what mends it; "" where nothing general can be said."""
    if isinstance(error, DatabaseFault):
        return error.fix
    state = sqlstate_of(error)
    return _FIXES.get(state) or _FIXES.get(state[:2], "")
