# SPDX-License-Identifier: Apache-2.0
"""scripts: random fault scripts, and the one check that every one must pass.

A script with a number and a seed is always the same. What is checked:

  - the run ends completed, incomplete or failed, with the exit code of that, and its numbers add up;
  - completed: everything that the source had before and after is in the tables, and nothing that it never had;
  - else: the reason is in words;
  - with the faults gone, at most three more runs end completed, and the tables equal the source, version by version.
"""
import atexit
import contextlib
import random
import sys
import time
import traceback

import harness
from harness import Failed, Sandbox, at_end, equal, folder, new_database, psql, server_url, true, with_database
from truth import Run, Truth, churn, differences, same_as_truth, set_faults, visible

PATIENTS, SCALE, FIXED = 24, 12, 7

# what can be made of which requests; None: a bare word
WIRE = ["status 500", "status 503 retry-after 0", "status 429", "status 502 html", "status 408", "status 404", "status 403",
        "status 400", "html", "empty", "not-fhir", "delay 30", "drip 700 per 1", "cut after {bytes}", "reset",
        "reset after {bytes}", "wrong-length {length}", "invalid-json", "bad-gzip", "retry-after 0 status 503",
        "token-expiry", "bad-utf8", "clock-skew {skew}"]
PAGING = ["same-next", "lost-next", "foreign-next", "stale-total {total}", "expire-paging", "duplicate", "silent-cap {cap}",
          "delete-between", "change-between", "outcome-entry", "other-type", "missing-entry", "huge-note 30000"]
COUNT = ["stale-total {total}"]
WHERE = {
    "patient search": WIRE + PAGING * 2, "patient page": WIRE + PAGING * 2, "patient page 1": PAGING, "patient page 2": PAGING,
    "observation search": WIRE + PAGING * 2, "observation page": WIRE + PAGING * 2, "observation page 1": PAGING,
    "observation page 2": PAGING, "search": PAGING, "page": PAGING, "any": WIRE, "patient count": WIRE + COUNT * 6,
    "observation count": WIRE + COUNT * 6, "count": WIRE + COUNT * 6, "metadata": WIRE, "history": WIRE + PAGING,
    "read": WIRE,
}
WHICH = ["", "request {n}", "every {every}", "every {every} times {n}", "from {n}", "always", "times {n}"]


def some_fault(r, choices):
    return r.choice(choices).format(
        bytes=r.choice([0, 1, 10, 100, 400, 1500]), length=r.choice(["+1", "+100", "-1", "-100", "-600"]),
        skew=r.choice(["3600", "-3600", "90000", "-30"]), total=r.choice([0, 1, 5, r.randrange(40), 1000]),
        cap=r.choice([0, 1, 5, 10, 20, r.randrange(40)]))


def some_rule(r):
    where = r.choice(list(WHERE))
    which = r.choice(WHICH).format(n=r.choice([1, 2, 3, r.randrange(1, 30)]), every=r.choice([2, 3, 5, 7]))
    faults = [some_fault(r, WHERE[where]) for _ in range(r.choice([1, 1, 1, 2]))]
    return f"on {where} {which}".rstrip() + ": " + ", ".join(faults)


class Script:
    def __init__(self, seed, number):
        r = random.Random(f"{seed}/{number}")
        self.name = f"--seed {seed} --only {number}"
        self.incremental = r.random() < 0.5
        self.max_page = r.choice([3, 7, 20, 50, 1000])
        self.churn = {k: r.choice([0, 0, v]) for k, v in (("changed", 30), ("deleted", 20), ("added", 30), ("moved", 80),
                                                         ("moved_in", 400), ("deleted_patients", 60))}
        self.churn["seed"] = r.randrange(1000)
        self.flags = r.choice([(), (), ("--patients-per-batch", "3"), ("--workers", "1"), ("--merge-rows", "1000")])
        self.rules = [some_rule(r) for _ in range(r.randrange(1, 6))]

    def __repr__(self):
        kind = f"incremental after {self.churn}" if self.incremental else "full"
        return f"{self.name}: {kind}, pages of {self.max_page}, {' '.join(self.flags)}\n    " + "\n    ".join(self.rules)


class Bench:
    """What scripts share: two databases to copy (migrated; loaded), and a port, for a run goes on only with the same source."""

    def __init__(self):
        self.port = harness.free_port()
        self.number = 0
        self.empty = new_database()
        self.loaded = self.copy(self.empty)
        with own_cleanup():
            sandbox = self.sandbox(1000)
            Run(sandbox, self.loaded, folder()).ended("completed")
            same_as_truth(self.loaded, sandbox)

    def sandbox(self, max_page):
        port, harness.free_port = harness.free_port, lambda: self.port
        try:
            return Sandbox("--observations-scale", SCALE, "--max-page", max_page, patients=PATIENTS, seed=FIXED)
        finally:
            harness.free_port = port

    def copy(self, database):
        self.number += 1
        name = f"{database.rsplit('/', 1)[-1].split('?')[0]}_{self.number}"
        psql(server_url(), f"CREATE DATABASE {name} TEMPLATE {database.rsplit('/', 1)[-1].split('?')[0]}")
        at_end(psql, server_url(), f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        return with_database(server_url(), name)


_bench = None


def bench():
    """The one that all tests of the suite share; gone when the process ends."""
    global _bench
    if not _bench:
        stack = contextlib.ExitStack()
        atexit.register(stack.close)
        outer, harness._cleanup = harness._cleanup, stack
        try:
            _bench = Bench()
        finally:
            harness._cleanup = outer
    return _bench


@contextlib.contextmanager
def own_cleanup():
    """What is started inside is stopped at its end, not at the test's."""
    outer, harness._cleanup = harness._cleanup, contextlib.ExitStack()
    try:
        with harness._cleanup:
            yield
    finally:
        harness._cleanup = outer


def check(shared, script, rules):
    """Raises when the script's check fails."""
    with own_cleanup():
        sandbox = shared.sandbox(script.max_page)
        database = shared.copy(shared.loaded if script.incremental else shared.empty)
        landing = folder()
        if script.incremental:
            churn(sandbox, **script.churn)
        before = Truth(sandbox).rows
        set_faults(sandbox, "\n".join(rules))
        run = Run(sandbox, database, landing, "--allow-mass-delete", *script.flags)
        set_faults(sandbox, "")
        after = Truth(sandbox).rows
        judge(run, before, after, visible(database))
        recover(landing, sandbox, database, run)
        return run


def judge(run, before, after, got):
    if run.state != "completed":
        true(len(run.reason) > 20, f"a reason: {run}")
        return
    run.adds_up()
    must = {k: v for k, v in after.items() if k in before}
    gone = must.keys() - got.keys()
    true(not gone, f"{run}: but {len(gone)} are missing, such as {sorted(gone)[:3]}")
    strange = got.keys() - before.keys() - after.keys()
    true(not strange, f"{run}: but {len(strange)} are shown that the source does not have, such as {sorted(strange)[:3]}")
    old = [k for k in must if must[k] == before[k] != got[k]]
    true(not old, f"{run}: but {len(old)} are of another version or patient, such as {[(k, got[k], must[k]) for k in old[:3]]}")


def recover(landing, sandbox, database, first):
    runs = [first]
    for _ in range(3):
        runs.append(Run(sandbox, database, landing, "--allow-mass-delete").adds_up())
        if runs[-1].state == "completed":
            break
    equal(runs[-1].state, "completed", f"after the faults: {runs}")
    found = differences(visible(database), Truth(sandbox).rows)
    true(not found, f"after the faults, {runs}: {found}")


def shrink(shared, script):
    """The fewest rules, by dropping one at a time, that still fail."""
    rules, dropped = script.rules, True
    while dropped and len(rules) > 1:
        dropped = False
        for i in range(len(rules)):
            fewer = rules[:i] + rules[i + 1:]
            try:
                check(shared, script, fewer)
            except Exception:
                rules, dropped = fewer, True
                break
    return rules


def try_one(shared, script):
    """The run, or None when the check failed, which was then printed."""
    try:
        return check(shared, script, script.rules)
    except Exception as why:
        print(f"FAILED {script}\n  {why}", flush=True)
        if not isinstance(why, Failed):
            traceback.print_exc(file=sys.stdout)
        print("  shrunk to\n    " + "\n    ".join(shrink(shared, script)), flush=True)
        return None


def run_many(count, seed, only=None, first=0):
    failed, ends, started = 0, {}, time.monotonic()
    for number in [only] if only is not None else range(first, first + count):
        run = try_one(bench(), Script(seed, number))
        failed += run is None
        if run:
            ends[run.state] = ends.get(run.state, 0) + 1
            if only is not None:
                print(f"{Script(seed, number)}\n  {run}")
    total = sum(ends.values()) + failed
    print(f"{time.monotonic() - started:.0f} s, {ends}")
    print(f"{total - failed} passed, {failed} failed")
    return 1 if failed else 0
