# SPDX-License-Identifier: Apache-2.0
"""What the tables hold, read with psql, and how it differs from what the oracle says."""

import os
import subprocess

from elements import numeric
from fhirjson import Num, loads

TABLES = ("patient", "observation")


class Database:
    """A PostgreSQL database by its libpq URI."""

    def __init__(self, url):
        self.url = url

    def psql(self, sql):
        """The output of one statement, unaligned."""
        done = subprocess.run(
            ["psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-d", self.url, "-c", sql],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "PGTZ": "UTC", "PGCLIENTENCODING": "UTF8"},
        )
        assert done.returncode == 0, f"{sql}: {done.stderr}"
        return done.stdout

    def objects(self, sql):
        """The rows of a query, each as an object."""
        text = self.psql(f"SELECT row_to_json(q) FROM ({sql}) q")
        return [loads(line) for line in text.split("\n") if line]

    def columns(self, table):
        return {
            row["column_name"]: row["data_type"]
            for row in self.objects(
                f"SELECT column_name, data_type FROM information_schema.columns WHERE table_schema = 'public' AND table_name = '{table}'"
            )
        }

    def rows(self, table):
        """Every row of a table by its id, in the oracle's kinds of values."""
        forms = {
            "timestamp with time zone": "(extract(epoch FROM {0}) * 1000000)::bigint",
            "numeric": "{0}::text",
            "bytea": "encode({0}, 'hex')",
        }
        columns = self.columns(table)
        wanted = ", ".join(f"{forms.get(kind, '{0}').format(name)} AS {name}" for name, kind in columns.items())
        found = {}
        for row in self.objects(f"SELECT {wanted} FROM {table}"):
            for name, kind in columns.items():
                if kind == "timestamp with time zone" and row[name] is not None:
                    row[name] = int(row[name])
            found[row["id"]] = row
        return found

    def writes(self):
        """Rows inserted, updated and deleted so far in each of the two tables."""
        return self.objects(
            "SELECT relname, n_tup_ins, n_tup_upd, n_tup_del FROM pg_stat_user_tables"
            " WHERE schemaname = 'public' AND relname IN ('patient', 'observation') ORDER BY 1"
        )


def plain(value):
    """A value in which a number is never equal to a string, and numbers have PostgreSQL's text."""
    if type(value) is Num:
        return ("number", str(numeric(value, "")))
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if type(value) is list:
        return [plain(v) for v in value]
    return value


def same(kind, expected, actual):
    if kind == "numeric":
        return (None if expected is None else str(expected)) == actual
    return plain(expected) == plain(actual)


def differences(database, expected):
    """One line for each column, of any row, that is not as expected, and for each row that is missing or should not be there.

    `expected`: {table: {id: columns}}. Besides the mapped columns it is compared whether `moved_at` and `deleted_at` are set
    (expected: anything true, or absent). Every column of the table is compared, and none other may be expected.
    """
    found = []
    for table in TABLES:
        kinds = database.columns(table)
        rows = database.rows(table)
        wanted = expected[table]
        found += [f"{table}/{i}: the row is missing" for i in wanted.keys() - rows.keys()]
        found += [f"{table}/{i}: the row should not be there" for i in rows.keys() - wanted.keys()]
        for row_id in wanted.keys() & rows.keys():
            found += row_differences(f"{table}/{row_id}", kinds, wanted[row_id], rows[row_id])
    return sorted(found)


def row_differences(name, kinds, wanted, row):
    unknown = wanted.keys() - kinds.keys()
    assert not unknown, f"the oracle has columns that the table has not: {sorted(unknown)}"
    for column, kind in kinds.items():
        if column == "run_id":
            continue
        expected, actual = wanted.get(column), row[column]
        if column in ("moved_at", "deleted_at"):
            expected, actual = bool(expected), actual is not None
        if not same(kind, expected, actual):
            yield f"{name}.{column}: expected {expected!r}, found {actual!r}"
