# SPDX-License-Identifier: Apache-2.0
"""truth: what a sandbox has, what the tables show of it, and runs between the two."""
import json
import urllib.request

import harness
from harness import Failed, equal, fhirline, psql, request, true

ZIP = "02139"
# small and fast: a script of faults should take about a second
QUICK = {
    "FHIRLINE_FHIR_RETRY_ATTEMPTS": "4", "FHIRLINE_FHIR_RETRY_BASE": "5ms", "FHIRLINE_FHIR_RETRY_CAP": "20ms",
    "FHIRLINE_FHIR_RETRY_DEADLINE": "20s", "FHIRLINE_LOG_LEVEL": "error",
}


def control(sandbox, path, body=None):
    """POST /sandbox/PATH; its answer."""
    url = sandbox.url.removesuffix("/fhir") + "/sandbox/" + path
    answer = request("POST", url, body or "", headers={"Content-Type": "text/plain"})
    equal(answer.status, 200, f"POST {path}: {answer.body!r}")
    return json.loads(answer.body)


def set_faults(sandbox, script):
    control(sandbox, "faults", script)


def churn(sandbox, **shares):
    return control(sandbox, "churn?" + "&".join(f"{k}={v}" for k, v in shares.items()))


def stats(sandbox):
    return json.loads(harness.get(sandbox.url.removesuffix("/fhir") + "/sandbox/stats").body)


def subject(resource):
    """The patient's id; references may be absolute, versioned, or both."""
    return resource.get("subject", {}).get("reference", "").split("/_history/")[0].rsplit("/", 1)[-1]


class Truth:
    """All that a full load must find: {(type, id): (version, last updated, patient)}."""

    def __init__(self, sandbox, zip=ZIP):
        self.rows = {}
        for kind in ("Patient", "Observation"):
            url = sandbox.url.removesuffix("/fhir") + f"/sandbox/resources?type={kind}&zip={zip}"
            with urllib.request.urlopen(url, timeout=120) as body:
                for line in body:
                    r = json.loads(line)
                    owner = r["id"] if kind == "Patient" else subject(r)
                    self.rows[kind, r["id"]] = (r["meta"]["versionId"], owner)


VISIBLE = """
    SELECT 'Patient', p.id, p.version_id, p.id FROM patient p JOIN patient_zip z ON z.patient_id = p.id
    WHERE z.zip = '{zip}' AND z.moved_at IS NULL AND p.deleted_at IS NULL AND p.moved_at IS NULL
    UNION ALL
    SELECT 'Observation', o.id, o.version_id, o.patient_id FROM observation o JOIN patient_zip z ON z.patient_id = o.patient_id
    WHERE z.zip = '{zip}' AND z.moved_at IS NULL AND o.deleted_at IS NULL
"""


def visible(database, zip=ZIP):
    """What the tables show, in the shape of Truth.rows."""
    return {(t, i): (v, owner) for t, i, v, owner in psql(database, VISIBLE.format(zip=zip))}


def differences(got, wanted, versions=True):
    """In words; empty when there are none."""
    said = []
    for what, keys in (("missing", wanted.keys() - got.keys()), ("too many", got.keys() - wanted.keys())):
        if keys:
            said.append(f"{len(keys)} {what}, such as {sorted(keys)[:3]}")
    if versions:
        other = [k for k in got.keys() & wanted.keys() if got[k] != wanted[k]]
        if other:
            said.append(f"{len(other)} of another version or patient, such as "
                        f"{[(k, got[k], wanted[k]) for k in sorted(other)[:3]]}")
    return "; ".join(said)


def same_as_truth(database, sandbox, what="tables", zip=ZIP):
    found = differences(visible(database, zip), Truth(sandbox, zip).rows)
    if found:
        raise Failed(f"{what} and source differ: {found}")


class Run:
    """One `fhirline ingest`."""

    def __init__(self, sandbox, database, landing, *flags, env=None, binary=None, zip=ZIP):
        settings = {**QUICK, "FHIRLINE_FHIR_URL": sandbox.url, "FHIRLINE_DATABASE_URL": database,
                    "FHIRLINE_LANDING_URL": str(landing), **(env or {})}
        self.result = fhirline("ingest", zip, "--json", *flags, env=settings, binary=binary or harness.PLAIN_BIN, timeout=100)
        self.json = self.result.last_json
        self.code, self.state = self.result.code, self.json["state"]
        self.kind = self.json.get("kind")
        error = self.json.get("error") or {}
        self.reason = error.get("text") or self.json.get("reconciliation") or ""
        wanted = {"completed": 0, "incomplete": 3, "failed": 1}
        equal(self.code, wanted.get(self.state), f"exit code of a run that is {self.state}: {self.result}")

    def adds_up(self):
        for kind in ("Patient", "Observation"):
            c = self.json[kind]
            fates = c["inserted"] + c["updated"] + c["unchanged"] + c["rejected"] + c["duplicates"]
            equal(c["fetched"], fates, f"fates of {kind}: {c}")
            equal(c["landed"], c["fetched"], f"landed {kind}: {c}")
            equal(c["staged"] + c["rejected"], c["landed"], f"staged {kind}: {c}")
        return self

    def ended(self, state, reason=""):
        equal(self.state, state, f"{self.result}")
        true(reason in self.reason, f"reason {reason!r} in {self.reason!r}")
        return self

    def __repr__(self):
        return f"{self.kind} {self.state}: {self.reason}"
