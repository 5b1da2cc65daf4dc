# SPDX-License-Identifier: Apache-2.0
"""harness: what test suites share. Standard library only.

A suite is an executable tests/NAME/run:

    import pathlib, sys
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
    from harness import *

    @test
    def a_zip_is_five_digits():
        result = fhirline("ingest", "123")
        equal(result.code, 2)
        contains(result.err, "five digits")

    main()

Each test gets what it starts stopped, and what it makes (databases, folders) removed, when it ends. `run PART…` runs the tests whose
names contain a PART. What fhirline is given as a secret may be found in no output, answer, database, landed file, argument or environment.
Waiting is always for a condition, with a generous limit.
"""
import contextlib
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BIN = os.environ.get("FHIRLINE_BIN", str(ROOT / "build-test" / "fhirline"))
PLAIN_BIN = os.environ.get("FHIRLINE_PLAIN_BIN", str(ROOT / "build" / "fhirline"))
CRASH_BIN = os.environ.get("FHIRLINE_CRASH_BIN", str(ROOT / "build-crash" / "fhirline"))
TSAN_BIN = os.environ.get("FHIRLINE_TSAN_BIN", str(ROOT / "build-tsan" / "fhirline"))
CACHE = pathlib.Path(os.environ.get("FHIRLINE_CACHE", os.path.expanduser("~/.cache/fhirline")))
LIMIT = 120  # seconds that a condition may take on a slow machine

SECRET_NAME = re.compile(r"(_TOKEN|_SECRET|_SECRET_ID|_PASSWORD|_ACCESS_KEY|^PGPASSWORD)$")

_tests = []
_apis = set()  # addresses of fhirline's API
_secrets = set()  # all that this suite has given to fhirline
_cleanup = contextlib.ExitStack()


class Failed(AssertionError):
    pass


# ---- tests ----

def test(function):
    _tests.append(function)
    return function


def skip(reason):
    """Loud, and a failure under CI=true."""
    if os.environ.get("CI") == "true":
        raise Failed(f"skipped under CI: {reason}")
    raise Skipped(reason)


class Skipped(Exception):
    pass


def main():
    global _cleanup
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    parts = sys.argv[1:]
    passed = failed = 0
    for function in _tests:
        if parts and not any(p in function.__name__ for p in parts):
            continue
        started, verdict = time.monotonic(), "ok"
        _cleanup = contextlib.ExitStack()
        try:
            with _cleanup:
                function()
            passed += 1
        except Skipped as reason:
            verdict = f"SKIPPED ({reason})"
        except Exception:
            verdict = "FAILED"
            failed += 1
            traceback.print_exc(file=sys.stdout)
        print(f"{verdict:7} {function.__name__} ({time.monotonic() - started:.1f} s)", flush=True)
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed or not passed else 0)


def at_end(function, *args):
    """Called when the current test ends, last first."""
    _cleanup.callback(function, *args)


# ---- assertions ----

def equal(got, wanted, what=""):
    if got != wanted:
        raise Failed(f"{what or 'value'}: got {got!r}, wanted {wanted!r}")


def true(value, what="condition"):
    if not value:
        raise Failed(f"{what}: {value!r}")


def contains(text, part, what="text"):
    if part not in text:
        raise Failed(f"{what} does not contain {part!r}:\n{text}")


def lacks(text, part, what="text"):
    if part in text:
        raise Failed(f"{what} contains {part!r}:\n{text}")


def matches(text, pattern, what="text"):
    found = re.search(pattern, text, re.M)
    if not found:
        raise Failed(f"{what} does not match {pattern!r}:\n{text}")
    return found


def wait_for(condition, what, limit=LIMIT, every=0.05):
    """Calls `condition` until it gives something true; returns that."""
    end = time.monotonic() + limit
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise Failed(f"waited {limit} s in vain for: {what}")
        time.sleep(every)


# ---- the outside ----

def free_port():
    return int(subprocess.check_output([ROOT / "tools/services/free_ports"]))


def folder(of_fhirline=True):
    """A new empty folder, gone at the end of the test. What fhirline writes there may have no secret."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="fhirline-test-"))
    at_end(lambda: shutil.rmtree(path, ignore_errors=True))
    if of_fhirline:
        at_end(no_secrets_in_files, path)
    return path


class Result:
    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err

    @property
    def last_json(self):
        """The object on the last line of standard output."""
        lines = self.out.strip().splitlines()
        if not lines:
            raise Failed(f"no output; standard error was:\n{self.err}")
        return json.loads(lines[-1])

    def __repr__(self):
        return f"exit {self.code}\n--- out\n{self.out}\n--- err\n{self.err}"


def environment(extra):
    """The suite's, without settings of fhirline but those given. A value of None removes."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("FHIRLINE_", "PG", "AWS_", "VAULT_", "TEMPORAL_"))}
    kept.update({k: str(v) for k, v in (extra or {}).items() if v is not None})
    return kept


def sanitizers_silent(result):
    for mark in ("ERROR: AddressSanitizer", "ERROR: LeakSanitizer", "runtime error:", "WARNING: ThreadSanitizer"):
        lacks(result.err, mark, "standard error")
    return result


def remember_secrets(env):
    """What fhirline is given as secrets by its environment must be seen nowhere. Short values prove nothing."""
    for name, text in (env or {}).items():
        if SECRET_NAME.search(name):
            _secrets.add(str(text))
        elif name == "FHIRLINE_DATABASE_URL":
            _secrets.add(urllib.parse.urlsplit(str(text)).password or "")
    _secrets.difference_update([s for s in _secrets if len(s) < 8 or s.startswith("vault:")])


def no_secrets(text, what):
    for secret in _secrets:
        if secret in text:
            raise Failed(f"{what} contains a secret: {text.replace(secret, '<secret>')[:2000]}")


def no_secrets_in_database(url):
    """In all rows but those of the resources themselves. One that the test has broken or taken away has nothing to show."""
    listed = command("psql", "-XqtA", "-d", url, "-c", "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname NOT IN"
                     " ('pg_catalog', 'information_schema') AND tablename NOT SIMILAR TO '(patient|observation|stage)%'")
    rows = " UNION ALL ".join(f"SELECT t::text FROM {name} t" for name in listed.out.split())
    found = " OR ".join(f"position($s${s}$s$ IN r.t) > 0" for s in _secrets)
    if rows and found:
        no_secrets(command("psql", "-XqtA", "-d", url, "-c", f"SET lock_timeout = '5s'; SELECT * FROM ({rows}) r(t) WHERE {found} LIMIT 5").out, "the database")


def no_secrets_in_files(path):
    """What landed or was exported. Very much of it is the same over and over, and is left out."""
    files = [p for p in path.rglob("*") if p.is_file() and p.suffix in (".zst", ".json", ".csv", ".ndjson")]
    if not files or sum(p.stat().st_size for p in files) > 20 << 20:
        return
    packed = [p for p in files if p.suffix == ".zst"]
    text = subprocess.run(["zstd", "-dcqf", *packed], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout if packed else b""
    text += b"".join(p.read_bytes() for p in files if p.suffix != ".zst")
    no_secrets(text.decode(errors="replace"), f"what is in {path}")


def command(*args, env=None, timeout=600, cwd=None, stdin=None):
    """Runs a program to its end."""
    done = subprocess.run([str(a) for a in args], env=environment(env), cwd=cwd or ROOT, input=stdin, timeout=timeout,
                          stdin=None if stdin is not None else subprocess.DEVNULL, capture_output=True)
    return Result(done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"))


def fhirline(*args, env=None, binary=None, **more):
    """Runs fhirline to its end; what a sanitizer finds fails the test, and a secret in its output."""
    remember_secrets(env)
    result = sanitizers_silent(command(binary or BIN, *args, env=env, **more))
    no_secrets(result.out + result.err, "the output")
    return result


class Process:
    """A program in the background; its output is kept in files. Stopped at the end of the test."""

    def __init__(self, *args, env=None, cwd=None):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="fhirline-test-"))
        self.args = [str(a) for a in args]
        self.is_fhirline = pathlib.Path(self.args[0]).name == "fhirline"
        if self.is_fhirline:
            remember_secrets(env)
        with open(self.directory / "out", "wb") as out, open(self.directory / "err", "wb") as err:
            self.popen = subprocess.Popen(self.args, env=environment(env), cwd=cwd or ROOT, stdout=out, stderr=err,
                                          stdin=subprocess.DEVNULL)
        self.pid = self.popen.pid
        at_end(self.finish)

    @property
    def out(self):
        return (self.directory / "out").read_text(errors="replace")

    @property
    def err(self):
        return (self.directory / "err").read_text(errors="replace")

    def alive(self):
        return self.popen.poll() is None

    def send(self, number):
        self.popen.send_signal(number)

    def wait(self, limit=LIMIT):
        """Its exit code."""
        try:
            return self.popen.wait(limit)
        except subprocess.TimeoutExpired:
            raise Failed(f"{self.args[:2]} has not ended within {limit} s\n{self.err}") from None

    def wait_output(self, pattern, limit=LIMIT):
        """The match of `pattern` in what it has written so far."""
        def look():
            found = re.search(pattern, self.out + "\n" + self.err, re.M)
            if not found and not self.alive():
                raise Failed(f"{self.args[:2]} ended ({self.popen.returncode}) without {pattern!r}:\n{self.out}\n{self.err}")
            return found
        return wait_for(look, f"{pattern!r} from {self.args[:2]}", limit)

    def stop(self, number=signal.SIGTERM):
        if self.alive():
            self.send(number)
        return self.wait()

    def see_no_secrets(self):
        """In its output, and in what others see of it while it runs."""
        no_secrets(self.out + self.err, "the output")
        # the sandbox is told whom to let in by its arguments; and who has not begun has not wiped anything yet
        if self.args[1] == "sandbox" or not (self.out or self.err):
            return
        for name in ("cmdline", "environ") if self.alive() else ():
            with contextlib.suppress(OSError):
                no_secrets(pathlib.Path(f"/proc/{self.pid}/{name}").read_text(errors="replace"), f"/proc/…/{name}")

    def finish(self):
        try:
            if self.is_fhirline:
                self.see_no_secrets()
            if self.alive():
                self.popen.terminate()
                try:
                    self.popen.wait(60)
                except subprocess.TimeoutExpired:
                    self.popen.kill()
                    self.popen.wait()
            sanitizers_silent(Result(0, "", self.err))
            if self.is_fhirline:
                no_secrets(self.out + self.err, "the output")
        finally:
            shutil.rmtree(self.directory, ignore_errors=True)


# ---- HTTP ----

class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"{self.status} {dict(self.headers)} {self.body[:400]!r}"


def request(method, url, body=None, headers=None, timeout=LIMIT):
    """One request; any status is an answer. A dict or list body is sent as JSON."""
    parts = urllib.parse.urlsplit(url)
    headers = dict(headers or {})
    if isinstance(body, (dict, list)):
        body = json.dumps(body)
        headers.setdefault("Content-Type", "application/json")
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout)
    try:
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        answer = Answer(response.status, response.headers, response.read())
    finally:
        connection.close()
    if f"{parts.scheme}://{parts.netloc}" in _apis:
        no_secrets(f"{answer.headers}{answer.body.decode(errors='replace')}", "an answer of the API")
    return answer


def get(url, **more):
    return request("GET", url, **more)


def answers(url):
    """True when something answers there, with any status."""
    try:
        request("GET", url, timeout=10)
        return True
    except OSError:
        return False


# ---- PostgreSQL ----

def server_url():
    url = os.environ.get("FHIRLINE_TEST_DATABASE_URL")
    if not url:
        raise Failed("FHIRLINE_TEST_DATABASE_URL is not set: run this through tests/run")
    return url


def with_database(url, name):
    return urllib.parse.urlsplit(url)._replace(path="/" + name).geturl()


def psql(url, sql):
    """Rows as lists of strings; NULL is None."""
    done = command("psql", "-XqtA", "-F", "\x1f", "-P", "null=\x02", "-v", "ON_ERROR_STOP=1", "-d", url, "-c", sql)
    if done.code:
        raise Failed(f"psql: {done.err}")
    return [[None if f == "\x02" else f for f in line.split("\x1f")] for line in done.out.splitlines()]


def value(url, sql):
    """The one value of the one row, as a string."""
    rows = psql(url, sql)
    equal([len(r) for r in rows], [1], f"rows of {sql}")
    return rows[0][0]


_database_number = 0


def new_database(migrate=True):
    """The URL of a new database, dropped at the end of the test."""
    global _database_number
    _database_number += 1
    name = f"test_{os.getpid()}_{_database_number}"
    psql(server_url(), f"CREATE DATABASE {name}")
    at_end(psql, server_url(), f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    url = with_database(server_url(), name)
    at_end(no_secrets_in_database, url)
    if migrate:
        done = fhirline("db", "migrate", env={"FHIRLINE_DATABASE_URL": url})
        equal(done.code, 0, f"db migrate: {done}")
    return url


# ---- parts of fhirline ----

class Sandbox(Process):
    """`fhirline sandbox`; url is its FHIR base."""

    def __init__(self, *args, patients=20, seed=1, zip="02139", env=None, binary=None):
        self.port = free_port()
        super().__init__(binary or PLAIN_BIN, "sandbox", "--port", self.port, "--patients", patients, "--seed", seed,
                         "--zip", zip, *args, env=env)
        self.url = f"http://127.0.0.1:{self.port}/fhir"
        wait_for(lambda: answers(self.url + "/metadata") or not self.alive(), "the sandbox")
        true(self.alive(), f"the sandbox runs: {self.err}")


class Serve(Process):
    """`fhirline serve`; url is the API's address."""

    def __init__(self, *args, env=None, binary=None, cwd=None):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        _apis.add(self.url)
        super().__init__(binary or BIN, "serve", "--listen", f"127.0.0.1:{self.port}", *args, env=env, cwd=cwd)
        wait_for(lambda: answers(self.url + "/healthz") or not self.alive(), "the API")
        true(self.alive(), f"the API runs: {self.err}")
