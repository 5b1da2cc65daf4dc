# SPDX-License-Identifier: Apache-2.0
"""bench: what the benchmarks share. Standard library only; the servers they measure with are private and go when they end."""
import argparse
import atexit
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "lib"))
import harness  # noqa: E402  processes, ports, waiting, psql

BIN = str(ROOT / "build" / "fhirline")


def arguments(doc, **more):
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true", help="less data and fewer rounds")
    parser.add_argument("--json", action="store_true", help="only the last line")
    for name, settings in more.items():
        parser.add_argument("--" + name, **settings)
    return parser.parse_args()


def build(*targets):
    subprocess.run([ROOT / "tools" / "build", ROOT / "build", *(["--", *targets] if targets else [])], check=True, stdout=sys.stderr)


def folder():
    path = tempfile.mkdtemp(prefix="fhirline-bench-")
    os.chmod(path, 0o755)
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path


def postgres():
    """A private PostgreSQL with its safe defaults; its URL."""
    directory = folder() + "/postgres"
    service = str(ROOT / "tools" / "services" / "postgres")
    url = subprocess.run([service, "start", "--dir", directory], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
    atexit.register(subprocess.run, [service, "stop", "--dir", directory, "--remove"], stdout=subprocess.DEVNULL)
    return url


def database(server, name):
    """A new, migrated database; its URL."""
    harness.psql(server, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    harness.psql(server, f"CREATE DATABASE {name}")
    url = harness.with_database(server, name)
    subprocess.run([BIN, "db", "migrate"], check=True, env={**os.environ, "FHIRLINE_DATABASE_URL": url}, stdout=subprocess.DEVNULL)
    return url


def sandbox(**options):
    box = harness.Sandbox(binary=BIN, **options)
    atexit.register(box.stop)
    return box


def command(args, url, landing, **settings):
    """Runs a command that ends with JSON to its end: (seconds, peak resident bytes, the JSON)."""
    environment = {**os.environ, "FHIRLINE_DATABASE_URL": url, "FHIRLINE_LANDING_URL": "file://" + landing, "FHIRLINE_LOG_LEVEL": "warn",
                   **settings}
    started = time.monotonic()
    process = subprocess.Popen([BIN, *args, "--json"], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    out = process.stdout.read()
    err = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.monotonic() - started
    if os.waitstatus_to_exitcode(status):
        sys.exit(f"{args[0]} ended with {os.waitstatus_to_exitcode(status)}: {err}")
    return seconds, usage.ru_maxrss * 1024, json.loads(out.strip().splitlines()[-1])


def ingest(url, box, landing, *more, zip="02139"):
    return command(["ingest", zip, *more], url, landing, FHIRLINE_FHIR_URL=box.url)


# ---- the peer: psql ----

TABLES = ("patient", "observation")


def dump(url, directory):
    for table in TABLES:
        subprocess.run(["psql", "-XqAt", "-d", url, "-c", f"\\copy (SELECT * FROM {table} ORDER BY run_id, random()) to '{directory}/{table}'"],
                       check=True)


def copy(url, directory):
    started = time.monotonic()
    for table in TABLES:
        subprocess.run(["psql", "-XqAt", "-d", url, "-c", f"\\copy {table} from '{directory}/{table}'"], check=True)
    return time.monotonic() - started


def say(options, text):
    if not options.json:
        print(text, flush=True)


def report(name, medians, ratios):
    print(json.dumps({"bench": name, "medians": medians, "ratios": ratios}), flush=True)


median = statistics.median
