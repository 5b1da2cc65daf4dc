# SPDX-License-Identifier: Apache-2.0
"""same: did a disturbed ingest leave what an undisturbed one leaves? For the suites that kill, cut and starve.

A `World` is a database and a landing zone; `source` its FHIR server. `world.env` are the settings of an ingest in it: small groups, so
that there are many batches, and a merge each thousand rows. `world.ends_like(reference)` is all that must hold after the last run of a
disturbed world:

- the tables are equal, row by row, but for the ids of runs and the instants at which we saw somebody gone;
- each fetched resource has one fate, and the batches' numbers sum up to the run's;
- rejected resources stand there once;
- no stage table is left, and the landing zone holds the objects of the batches and manifests, and nothing else.
"""
import atexit
import concurrent.futures
import functools
import threading
import urllib.parse

import harness
from harness import *

_of_all_tests = harness._cleanup
atexit.register(_of_all_tests.close)
_one_at_a_time = threading.Lock()

ZIP = "02139"
TYPES = ("Patient", "Observation")


def shared(make):
    """What `make` starts and makes belongs to all tests: it goes when the program ends."""
    before, harness._cleanup = harness._cleanup, _of_all_tests
    try:
        return make()
    finally:
        harness._cleanup = before


@functools.cache
def _migrated():
    return urllib.parse.urlsplit(shared(new_database)).path[1:]


def another_database():
    """A new database with our tables: a copy of one, which is faster than migrating each."""
    with _one_at_a_time:
        template = _migrated()
        url = new_database(migrate=False)
        name = urllib.parse.urlsplit(url).path[1:]
        psql(server_url(), f"DROP DATABASE {name}")
        psql(server_url(), f"CREATE DATABASE {name} TEMPLATE {template}")
    return url


def several(function, items, at_once=3):
    """Calls the function for each; most of them wait most of the time, so several are under way at once."""
    def one(item):
        try:
            function(item)
        except Failed as why:
            raise Failed(f"{item}: {why}") from why

    with concurrent.futures.ThreadPoolExecutor(at_once) as pool:
        for done in [pool.submit(one, item) for item in items]:
            done.result()


def crash_binary():
    if not os.access(CRASH_BIN, os.X_OK):
        raise Failed("there is no build with crash points: run this through tests/run")
    return CRASH_BIN


def table(url, name, live=False):
    """{key: row as JSON}. `live` leaves out what is deleted or has moved away."""
    seen = "to_jsonb(t) - 'run_id' - 'moved_at' - 'deleted_at' || jsonb_build_object('deleted', {0}, 'moved', {1})"
    here = f"EXISTS (SELECT FROM patient_zip z WHERE z.patient_id = t.{{0}} AND z.zip = '{ZIP}' AND z.moved_at IS NULL)"
    key, deleted, moved, where = {
        "patient": ("id", "deleted_at IS NOT NULL", "moved_at IS NOT NULL", "deleted_at IS NULL AND " + here.format("id")),
        "observation": ("id", "deleted_at IS NOT NULL", "false", "deleted_at IS NULL AND " + here.format("patient_id")),
        "patient_zip": ("zip || ' ' || patient_id", "false", "moved_at IS NOT NULL", "moved_at IS NULL AND NOT EXISTS "
                        "(SELECT FROM patient p WHERE p.id = t.patient_id AND p.deleted_at IS NOT NULL)"),
    }[name]
    return dict(psql(url, f"SELECT {key}, {seen.format(deleted, moved)} FROM {name} t" + (f" WHERE {where}" if live else "")))


def tables(url, live=False):
    return {name: table(url, name, live) for name in ("patient", "patient_zip", "observation")}


def same_tables(got, wanted):
    for name in wanted:
        missing = sorted(set(wanted[name]) - set(got[name]))
        more = sorted(set(got[name]) - set(wanted[name]))
        other = sorted(k for k in wanted[name] if k in got[name] and got[name][k] != wanted[name][k])
        if missing or more or other:
            examples = "".join(f"\n  got    {got[name][k]}\n  wanted {wanted[name][k]}" for k in other[:2])
            raise Failed(f"table {name}: {len(wanted[name])} rows wanted; {len(missing)} missing {missing[:3]}, "
                         f"{len(more)} too many {more[:3]}, {len(other)} different {other[:3]}{examples}")


class World:
    """A database and a landing zone that an ingest from `source` fills."""

    def __init__(self, source, database=None, landing=None, **more):
        self.source = source
        self.database = database or another_database()
        self.landing = landing or folder() / "landing"
        self.env = {"FHIRLINE_FHIR_URL": source.url, "FHIRLINE_DATABASE_URL": self.database, "FHIRLINE_LANDING_URL": self.landing,
                    "FHIRLINE_PATIENTS_PER_BATCH": 3, "FHIRLINE_MERGE_ROWS": 1000, "FHIRLINE_WORKERS": 3, "FHIRLINE_LEASE": "2s",
                    "FHIRLINE_FHIR_CONCURRENCY": 3, "FHIRLINE_LOG_FORMAT": "text", **more}

    def start(self, *args, env=None, binary=None, command="ingest"):
        """`fhirline ingest` in the background."""
        return Process(binary or crash_binary(), command, *(args or (ZIP,)), env={**self.env, **(env or {})})

    def ingest(self, *args, env=None, binary=None, codes=(0,)):
        """`fhirline ingest` to its end."""
        result = fhirline("ingest", "--json", *(args or (ZIP,)), env={**self.env, **(env or {})}, binary=binary or crash_binary())
        if result.code not in codes:
            raise Failed(f"exit code {result.code} instead of {codes}:\n{result}")
        return result

    def value(self, sql):
        return value(self.database, sql)

    def rows(self, sql):
        return psql(self.database, sql)

    def run(self):
        """Id and state of the newest run."""
        found = self.rows(f"SELECT id, state FROM run WHERE zip = '{ZIP}' ORDER BY ordinal DESC LIMIT 1")
        return found[0] if found else [None, None]

    # ---- what must hold at the end ----

    def adds_up(self):
        """All ended runs: every resource has one fate, batches sum up to their run."""
        for run_id, state in self.rows("SELECT id, state FROM run ORDER BY ordinal"):
            true(state in ("completed", "incomplete", "failed", "cancelled"), f"run {run_id} has ended: {state}")
            if state in ("completed", "incomplete"):
                self.run_adds_up(run_id)

    def run_adds_up(self, run_id):
        open_batches = self.value(f"SELECT count(*) FROM batch WHERE run_id = '{run_id}' AND state NOT IN ('merged', 'failed')")
        equal(open_batches, "0", "open batches")
        sums = self.rows("SELECT CASE WHEN kind IN ('observations', 'observation_page') THEN 'Observation' ELSE 'Patient' END AS t, "
                         "sum(fetched), sum(landed), sum(staged), sum(rejected) FROM batch "
                         f"WHERE run_id = '{run_id}' AND kind <> 'id_page' GROUP BY t")
        shown = {t: [int(v) for v in numbers] for t, *numbers in sums}
        for t, rejected, *merged in self.rows("SELECT resource_type, rejected, inserted, updated, unchanged, duplicates FROM run_count "
                                              f"WHERE run_id = '{run_id}'"):
            fetched, landed, staged, refused = shown.get(t, [0, 0, 0, 0])
            equal(landed, fetched, f"{t}: landed and fetched")
            equal(staged + refused, landed, f"{t}: staged and rejected, and landed")
            equal(sum(map(int, merged)), staged, f"{t}: inserted, updated, unchanged and duplicates, and staged")
            rows = self.value(f"SELECT count(*) FROM rejected_resource WHERE run_id = '{run_id}' AND resource_type = '{t}'")
            equal(int(rows), refused, f"{t}: rejected rows, and rejected")

    def nothing_left(self):
        """No stage table, no file that no batch knows, nothing temporary."""
        stages = self.rows("SELECT relname FROM pg_class WHERE relnamespace = 'stage'::regnamespace AND relkind = 'r' "
                           "AND relname NOT IN ('patient', 'observation')")
        equal(stages, [], "stage tables left")
        known = {o for (o,) in self.rows("SELECT object FROM batch WHERE object IS NOT NULL")}
        files = {str(p.relative_to(self.landing)) for p in self.landing.rglob("*") if p.is_file()}
        objects = {f for f in files if not f.endswith(("/manifest.json", "/fates.json"))}
        equal(objects, known, "objects in the landing zone, and those of the batches")

    def ends_like(self, reference, live=False):
        """`reference`: tables(…) of an undisturbed run."""
        self.adds_up()
        self.nothing_left()
        same_tables(tables(self.database, live), reference)


# ---- the source's side: what was asked ----

def log_mark(sandbox):
    return get(sandbox.url.removesuffix("/fhir") + f"/sandbox/log?since={1 << 60}").json["next"]


def requests_since(sandbox, mark):
    return get(sandbox.url.removesuffix("/fhir") + f"/sandbox/log?since={mark}").json["requests"]


def churn(sandbox, **shares):
    query = urllib.parse.urlencode(shares)
    answer = request("POST", sandbox.url.removesuffix("/fhir") + "/sandbox/churn?" + query)
    equal(answer.status, 200, f"churn: {answer}")


def landed_before(world):
    """What has landed in the newest run: patients whose observations are in an object, and URLs of pages that are. To be called
    while nobody works on the run."""
    run_id, state = world.run()
    if state in ("completed", "incomplete", None):
        return set(), set()  # the same command begins a new run
    seqs = {int(m.group(2)): m.group(1) for p in world.landing.rglob("*.ndjson.zst")
            if (m := re.fullmatch(r"(patient|observation)-(\d+)\.ndjson\.zst", p.name)) and f"run={run_id}" in str(p)}
    pages, patients = set(), set()
    for seq, kind, page, first, number in world.rows(
            f"SELECT seq, kind, page_seq, first, patients FROM batch WHERE run_id = '{run_id}'"):
        if int(seq) not in seqs:
            continue
        if kind == "observations":
            ids = f"SELECT unnest(patient_ids[{int(first) + 1}:{int(first) + int(number)}]) FROM batch WHERE run_id = '{run_id}' AND seq = {page}"
            patients |= {i for (i,) in world.rows(ids)}
        elif kind == "patient_page":
            urls = world.rows(f"SELECT next_url FROM batch WHERE run_id = '{run_id}' AND seq = {page}")
            pages.add(urls[0][0] if urls else "first")
    return patients, pages


def not_fetched_again(requests, landed):
    """A landed object is not asked for again: no search for the observations of its patients, no request for its page. Counts and
    lists of ids are other questions: a resumed run may have to ask who has left."""
    patients, pages = landed
    for r in requests:
        query = urllib.parse.parse_qs(r["query"])
        if r["path"].endswith("/Observation") and set(query.get("patient", ())) & patients:
            raise Failed(f"observations that had landed were asked for again: {r}")
        whole = "_summary" not in query and "_elements" not in query
        if "first" in pages and r["path"].endswith("/Patient") and "address-postalcode" in str(query) and whole:
            raise Failed(f"the first page had landed and was asked for again: {r}")
        if any(p.partition("?")[2] == r["query"] for p in pages if p != "first"):
            raise Failed(f"a page that had landed was asked for again: {r}")
