"""Databases of STOM's shape, small and exactly known, written with Python's own sqlite3."""

import sqlite3
from contextlib import closing

import numpy as np
import pytest

from stom_ray.schema.columns import LAYOUTS

DAY = 20240102


def clocks(day, n, start=90_000, step=1):
    """n clocks of a day, `step` seconds apart, yyyymmddhhmmss."""
    first = start // 10_000 * 3_600 + start // 100 % 100 * 60 + start % 100
    seconds = first + step * np.arange(n)
    return (day * 1_000_000 + seconds // 3_600 * 10_000 + seconds // 60 % 60 * 100 + seconds % 60).tolist()


def rows(clock, layout="tick_v1", seed=0, **columns):
    """A row (list) for each clock: random values, some whole, some not, some zero; columns: name -> value in every row."""
    names = LAYOUTS[layout].values
    rng = np.random.default_rng(seed)
    values = np.round(rng.normal(1000, 100, (len(clock), len(names))), 2)
    values[rng.random(values.shape) < 0.3] = 0
    values[:, : len(names) // 2] = np.floor(values[:, : len(names) // 2])
    for level in range(1, 6):
        values[:, names.index(f"매도호가{level}")] = 1000 + level
        values[:, names.index(f"매수호가{level}")] = 1000 - level
    values[:, :4] = 1000 + np.arange(4)
    table = [[at, *line] for at, line in zip(clock, values.tolist(), strict=True)]
    for name, value in columns.items():
        for line in table:
            line[1 + names.index(name)] = value
    return table


def create(connection, code, table, layout="tick_v1", names=None):
    """A table as STOM makes it."""
    names = names or LAYOUTS[layout].columns
    body = ", ".join(f'"{name}" {"INTEGER" if name in ("index", "관심종목") else "REAL"}' for name in names)
    connection.execute(f'CREATE TABLE "{code}" ({body})')
    append(connection, code, table)
    connection.execute(f'CREATE INDEX "ix_{code}_index" ON "{code}" ("index")')


def append(connection, code, table):
    if table:
        connection.executemany(f'INSERT INTO "{code}" VALUES ({",".join("?" * len(table[0]))})', table)


def write(path, tables, *, layout="tick_v1", moneytop=True, stockinfo=None, page_size=4096, wal=False):
    """A database. tables: code -> rows. moneytop: True = every code at every clock, None = no such table, or [(clock, text)]."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA page_size = {page_size}")
        if wal:
            connection.execute("PRAGMA journal_mode = WAL")
        for code, table in tables.items():
            create(connection, code, table, layout)
        if moneytop is not None:
            connection.execute('CREATE TABLE moneytop ("index" INTEGER, "거래대금순위" TEXT)')
            connection.executemany("INSERT INTO moneytop VALUES (?, ?)", everywhere(tables) if moneytop is True else moneytop)
        if stockinfo:
            connection.execute('CREATE TABLE stockinfo ("index" TEXT, "종목명" TEXT, "코스닥" INTEGER)')
            connection.executemany("INSERT INTO stockinfo VALUES (?, ?, ?)", stockinfo)
        connection.commit()
    return path


def everywhere(tables):
    """`moneytop` rows naming, at each clock, the codes that have a row then."""
    at = {}
    for code, table in tables.items():
        for line in table:
            if isinstance(line[0], int):
                at.setdefault(line[0], []).append(code)
    return [(clock, ";".join(codes)) for clock, codes in sorted(at.items())]


class Databases:
    """The functions above, for tests elsewhere."""

    clocks = staticmethod(clocks)
    rows = staticmethod(rows)
    write = staticmethod(write)
    append = staticmethod(append)
    create = staticmethod(create)
    everywhere = staticmethod(everywhere)
    day = DAY


@pytest.fixture(scope="session")
def db():
    return Databases
