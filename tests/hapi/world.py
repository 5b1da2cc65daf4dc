# SPDX-License-Identifier: Apache-2.0
"""What a HAPI server holds, changed together with it, and what the tables must therefore hold."""

import copy
import time

import oracle
from patient import lives_in


class World:
    """Every resource of the server, and the rows that fhirline must have of one zip code after each run."""

    def __init__(self, zipcode, resources):
        self.zip = zipcode
        self.resources = {(r["resourceType"], r["id"]): r for r in resources}
        self.rows = {"patient": {}, "observation": {}}
        self.homes = {}

    def get(self, kind, resource_id):
        """A copy, to be changed and put."""
        return copy.deepcopy(self.resources[kind, resource_id])

    def put(self, client, resource):
        kept = client.put(resource)
        resource["meta"] = {**resource.get("meta", {}), **{k: kept["meta"][k] for k in ("versionId", "lastUpdated")}}
        self.resources[resource["resourceType"], resource["id"]] = resource

    def delete(self, client, kind, resource_id):
        client.delete(kind, resource_id)
        del self.resources[kind, resource_id]

    def residents(self):
        return {i for (kind, i), r in self.resources.items() if kind == "Patient" and lives_in(r, self.zip)}

    def observations(self, patient_id):
        """Ids of a patient's observations on the server, the longest known first."""
        return [i for (kind, i), r in self.resources.items() if kind == "Observation" and subject(r) == patient_id]

    def settle(self):
        """What a run that is complete leaves: called after each, with what the server holds then."""
        residents = self.residents()
        now = time.time_ns() // 1000
        fresh = {"patient": {}, "observation": {}}
        for (kind, resource_id), resource in self.resources.items():
            if (resource_id if kind == "Patient" else subject(resource)) in residents:
                fresh[kind.lower()][resource_id] = oracle.row(kind, resource, now=now)
        for table, rows in self.rows.items():
            for resource_id, row in rows.items():
                if resource_id not in fresh[table]:
                    fresh[table][resource_id] = {**row, **self.fate(table, row)}
        for patient_id in self.homes.keys() | residents:
            self.homes[patient_id] = patient_id in residents
        self.rows = fresh

    def fate(self, table, row):
        """Of a row that was loaded and that the zip code's searches do not give any more: it stays as it was, with a mark. A deleted
        patient's observations are gone with the patient, even where the server keeps them."""
        if table == "patient":
            return {"moved_at" if ("Patient", row["id"]) in self.resources else "deleted_at": True}
        kept = ("Observation", row["id"]) in self.resources and ("Patient", row["patient_id"]) in self.resources
        return {} if kept else {"deleted_at": True}

    def deleted(self):
        """How many rows of each type have a tombstone."""
        return {kind: sum(bool(r.get("deleted_at")) for r in self.rows[kind.lower()].values()) for kind in ("Patient", "Observation")}


def subject(observation):
    return observation["subject"]["reference"].removeprefix("Patient/")
