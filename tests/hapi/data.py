#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""data.py SEED…: the loaded HAPI databases of the test, made once and kept in the cache.

A seed's folder holds `hapi.mv.db` (HAPI's database, with all resources), `sent.ndjson.gz` (the resources as they were sent: what the
oracle reads) and `versions.json` (versionId and lastUpdated of each, which only the server knows). Its name has a hash of
what it depends on: the servers' versions, odd.py, and the constants below. LOADER goes up when this file would load
something else.

The people are Synthea's. It spreads them over all of a state, so most are moved to one zip code here, some of them with a
ZIP+4, some with a second address; the others stay where they are.
"""

import fcntl
import gzip
import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
TOOLS = HERE.parents[1] / "tools" / "services"
sys.path.insert(0, str(HERE.parent / "oracle"))

import odd
from fhirjson import dumps, loads
from server import Server

ZIP = "02139"
SEEDS = {"a": 20251, "b": 7302}
PEOPLE = 125
YEARS = 3
ENTRIES = 250
LOADER = 1


def cache():
    return pathlib.Path(os.environ.get("FHIRLINE_CACHE") or pathlib.Path.home() / ".cache" / "fhirline")


def key(seed):
    """The name of a seed's folder."""
    digest = hashlib.sha256(f"{LOADER} {SEEDS[seed]} {PEOPLE} {YEARS}".encode())
    files = [HERE / "odd.py", TOOLS / "synthea.d" / "pom.xml", TOOLS / "hapi.d" / "pom.xml"]
    for path in files + sorted((TOOLS / "hapi.d" / "src").rglob("*.java")):
        digest.update(path.read_bytes())
    return f"{seed}-{digest.hexdigest()[:16]}"


class Data:
    """A seed's folder in the cache."""

    def __init__(self, folder):
        self.database = folder / "hapi.mv.db"
        self.sent = folder / "sent.ndjson.gz"
        self.versions = folder / "versions.json"

    def resources(self):
        """Every resource as the server has it: as it was sent, with the server's version and instant."""
        versions = json.loads(self.versions.read_text())
        with gzip.open(self.sent, "rt", encoding="utf-8") as lines:
            for line in lines:
                resource = loads(line)
                version, updated = versions[f"{resource['resourceType']}/{resource['id']}"]
                resource["meta"] = {**resource.get("meta", {}), "versionId": version, "lastUpdated": updated}
                yield resource


def relative(value):
    """References inside of a Synthea bundle (urn:uuid:…) are to patients and encounters: made relative, in place."""
    for name, kind in (("subject", "Patient"), ("encounter", "Encounter")):
        reference = value.get(name)
        if reference:
            reference["reference"] = reference["reference"].replace("urn:uuid:", kind + "/")


def rehouse(patient, number):
    """Five of six move to ZIP; every seventh of them has a ZIP+4, every eleventh also an earlier address."""
    if number % 6 == 5:
        return
    address = patient["address"][0]
    code = f"{ZIP}-{1000 + number}" if number % 7 == 3 else ZIP
    before = {"use": "old", "city": address["city"], "postalCode": address.get("postalCode", "00000")}
    address.update(city="Cambridge", state="MA", postalCode=code)
    if number % 11 == 4:
        patient["address"].insert(0, before)


def generated(seed, folder):
    """Patients and observations of a seed, in the order of the files' names."""
    subprocess.run(
        [TOOLS / "synthea", "generate", "--population", str(PEOPLE), "--seed", str(SEEDS[seed]), "--years", str(YEARS), folder],
        check=True,
    )
    patients, observations = [], []
    for path in sorted((folder / "fhir").glob("*.json")):
        for entry in loads(path.read_bytes())["entry"]:
            resource = entry["resource"]
            if resource["resourceType"] == "Patient":
                rehouse(resource, len(patients))
                patients.append(resource)
            elif resource["resourceType"] == "Observation":
                relative(resource)
                observations.append(resource)
    patients += odd.patients()
    observations += odd.observations("odd-names")
    return patients + observations


def load(client, resources, out):
    """Sends everything in transactions; writes what was sent; returns the versions."""
    versions = {}
    with gzip.open(out, "wt", encoding="utf-8", compresslevel=3) as lines:
        for start in range(0, len(resources), ENTRIES):
            chunk = resources[start:start + ENTRIES]
            for resource, version in zip(chunk, client.put_all(chunk)):
                versions[f"{resource['resourceType']}/{resource['id']}"] = version
                lines.write(dumps(resource) + "\n")
            if start // ENTRIES % 20 == 0:
                print(f"hapi: {start + len(chunk)} of {len(resources)} resources loaded", file=sys.stderr, flush=True)
    return versions


def make(seed, folder):
    with tempfile.TemporaryDirectory(prefix="fhirline-synthea-") as synthea:
        resources = generated(seed, pathlib.Path(synthea))
    server = Server(folder / "server")
    try:
        server.start()
        versions = load(server.client(), resources, folder / "sent.ndjson.gz")
    finally:
        server.stop("--compact")
    (folder / "versions.json").write_text(json.dumps(versions))
    os.rename(folder / "server" / "h2" / "hapi.mv.db", folder / "hapi.mv.db")
    shutil.rmtree(folder / "server")


def prepare(seed):
    """The Data of a seed; made on the first call, which takes some minutes."""
    parent = cache() / "hapi-data"
    parent.mkdir(parents=True, exist_ok=True)
    folder = parent / key(seed)
    with open(parent / f"{seed}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.is_dir():
            for old in parent.glob(f"{seed}-*"):
                shutil.rmtree(old)
            part = pathlib.Path(tempfile.mkdtemp(prefix=f"{seed}-part-", dir=parent))
            try:
                make(seed, part)
                os.rename(part, folder)
            finally:
                shutil.rmtree(part, ignore_errors=True)
    return Data(folder)


if __name__ == "__main__":
    for name in sys.argv[1:]:
        data = prepare(name)
        print(f"{name}: {data.database.parent}")
