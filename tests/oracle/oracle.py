# SPDX-License-Identifier: Apache-2.0
"""An independent second implementation of docs/MAPPING.md: a FHIR resource to the row that the tables must hold.

It shares no code with fhirline and is written from the document alone. Values: text, booleans, lists of text; numeric as Num with
PostgreSQL's text; timestamptz as microseconds since 1970; date as its text; bytea as hex; jsonb as fhirjson's values.
"""

import hashlib

import observation
import patient
from elements import ID, Element, Reject


def row(kind, resource, raw=b"", now=0):
    """The columns of a parsed resource of that type; those that are NULL may be left out. `raw`: its bytes. Raises Reject."""
    element = Element(resource)
    if resource.get("resourceType") != kind:
        raise Reject("resourceType is another one", "/resourceType")
    resource_id = element.text("id")
    if resource_id is None or not ID.fullmatch(resource_id):
        raise Reject("id is missing or breaks FHIR's rule", "/id")
    columns = {"id": resource_id, **meta_columns(element, raw)}
    columns.update(patient.columns(element, now) if kind == "Patient" else observation.columns(element))
    return columns


def meta_columns(element, raw):
    meta = element.child("meta")
    version = meta.text("versionId") if meta is not None else None
    updated = meta.date("lastUpdated")[0] if meta is not None else None
    bare = version is None and updated is None
    return {"version_id": version, "last_updated": updated, "content_hash": hashlib.sha256(raw).hexdigest() if bare else None}
