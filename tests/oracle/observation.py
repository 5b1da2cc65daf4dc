# SPDX-License-Identifier: Apache-2.0
"""The columns of `observation`, from docs/MAPPING.md §4."""

import re

from elements import Element, Reject, compact, concept_code, concept_label, drop, first, joined, parsed, reference_id, string

VALUES = ("Quantity", "CodeableConcept", "String", "Boolean", "Integer", "Range", "Ratio", "SampledData", "Time", "DateTime", "Period")
CODE = re.compile(r"[^\s]+(?:\s[^\s]+)*", re.ASCII)
LOINC = "http://loinc.org"
INDEXED = 1024


def coding_of(concept, loinc):
    """The coding that stands for a concept: among those with a code the user's choice, else LOINC's, else the first."""
    codings = [c for c in concept.children("coding") if c.has("code")]
    best = first(c if c.obj.get("userSelected") is True else None for c in codings)
    if best is None and loinc:
        best = first(c if c.obj.get("system") == LOINC else None for c in codings)
    return best or (codings[0] if codings else None)


def display_of(concept):
    return first(c.text("display") for c in concept.children("coding"))


def coded(concept):
    """system, code, display of a `code` element."""
    coding = coding_of(concept, True)
    system = code = display = None
    if coding is not None:
        system, code, display = coding.text("system"), coding.text("code"), coding.text("display")
    return system, code, display or concept.text("text") or display_of(concept)


def code_columns(observation):
    concept = observation.child("code")
    if concept is None:
        raise Reject("code is missing", observation.at("code"))
    system, code, display = coded(concept)
    if code is not None and len(code.encode()) > INDEXED:
        raise Reject("code is longer than 1,024 bytes", observation.at("code"))
    codings = []
    for coding in concept.children("coding"):
        entry = drop(system=coding.text("system"), code=coding.text("code"), display=coding.text("display"),
            userSelected=coding.boolean("userSelected"))
        if entry:
            codings.append(entry)
    return {
        "code_system": system,
        "code": code,
        "code_display": display,
        "code_text": concept.text("text"),
        "codings": codings if len(codings) > 1 else None,
    }


def categories(observation):
    found = []
    for category in observation.children("category"):
        codes = [c for c in (coding.text("code") for coding in category.children("coding")) if c is not None]
        for code in codes or [category.text("text")]:
            if code is not None and code not in found:
                found.append(code)
    return found or None


def timing_columns(timing):
    events = [parsed(string(text, pointer), pointer) for pointer, text in timing.entries("event")]
    if events:
        start = min(events, key=lambda e: e[0])
        return start, max(e[0] for e in events) if len(events) > 1 else None
    repeat = timing.child("repeat")
    bounds = repeat.child("boundsPeriod") if repeat is not None else None
    if bounds is None:
        return (None, None), None
    return bounds.date("start"), bounds.date("end")[0]


def effective_columns(observation):
    key, kind = observation.choice("effective", ("DateTime", "Instant", "Period", "Timing"))
    start, end = (None, None), None
    if kind in ("DateTime", "Instant"):
        start = observation.date(key)
    elif kind is not None and observation.has(key):
        element = observation.child(key)
        if kind == "Period":
            start, end = element.date("start"), element.date("end")[0]
        else:
            start, end = timing_columns(element)
    return {"effective_at": start[0], "effective_end": end, "effective_precision": start[1]}


def concept_columns(concept):
    coding = coding_of(concept, False)
    display = coding.text("display") if coding is not None else None
    return {
        "value_system": coding.text("system") if coding is not None else None,
        "value_code": coding.text("code") if coding is not None else None,
        "value_text": concept.text("text") or display or display_of(concept),
    }


def value_columns(observation):
    key, kind = observation.choice("value", VALUES)
    if kind is None or (not observation.has(key)):
        return {"value_type": kind}
    columns = {"value_type": kind}
    if kind == "Quantity":
        quantity = observation.child(key)
        columns["value_quantity"] = quantity.number("value")
        for part in ("comparator", "unit", "system", "code"):
            columns["value_" + part] = quantity.text(part)
    elif kind == "Integer":
        columns["value_quantity"] = observation.number(key)
    elif kind in ("String", "Time"):
        columns["value_text"] = observation.text(key)
    elif kind == "CodeableConcept":
        columns.update(concept_columns(observation.child(key)))
    elif kind == "Boolean":
        columns["value_boolean"] = observation.boolean(key)
    elif kind == "DateTime":
        columns["value_at"], columns["value_precision"] = observation.date(key)
    elif kind == "Period":
        period = observation.child(key)
        columns["value_at"], columns["value_precision"] = period.date("start")
        columns["value_end"] = period.date("end")[0]
    else:
        columns["value_text"] = compact(observation.child(key).obj, observation.at(key))
    return columns


def component_value(component):
    """The keys of a component's value[x]."""
    key, kind = component.choice("value", VALUES)
    if kind is None or not component.has(key):
        return {"value_type": kind}
    found = {"value_type": kind}
    if kind == "Quantity":
        quantity = component.child(key)
        found["value"] = quantity.number("value")
        found["unit"] = quantity.text("unit") or quantity.text("code")
        found["comparator"] = quantity.text("comparator")
    elif kind == "Integer":
        found["value"] = component.number(key)
    elif kind == "Boolean":
        found["value"] = component.boolean(key)
    elif kind in ("String", "Time"):
        found["value"] = component.text(key)
    elif kind == "DateTime":
        component.date(key)
        found["value"] = component.text(key)
    elif kind == "CodeableConcept":
        columns = concept_columns(component.child(key))
        found["value"] = drop(system=columns["value_system"], code=columns["value_code"], text=columns["value_text"]) or None
    else:
        found["value"] = component.child(key).obj
        compact(found["value"], component.at(key))
    return found


def first_of(element, key):
    return first(element.children(key))


def components(observation):
    found = []
    for component in observation.children("component"):
        concept = component.child("code")
        if concept is None:
            raise Reject("code is missing", component.at("code"))
        system, code, display = coded(concept)
        found.append(drop(
            code=code, system=system, display=display,
            **component_value(component),
            absent_reason=concept_code(component.child("dataAbsentReason")),
            interpretation=concept_code(first_of(component, "interpretation")),
        ))
    return found or None


def reference_columns(observation):
    reference = first_of(observation, "referenceRange")
    if reference is None:
        return {}
    low, high = reference.child("low"), reference.child("high")
    return {
        "reference_low": low.number("value") if low is not None else None,
        "reference_high": high.number("value") if high is not None else None,
        "reference_text": reference.text("text"),
    }


def columns(observation):
    status = observation.text("status")
    if status is None:
        raise Reject("status is missing", observation.at("status"))
    if not CODE.fullmatch(status):
        raise Reject("status is no code", observation.at("status"))
    kinds = categories(observation)
    return {
        "patient_id": reference_id(observation.child("subject"), ("Patient",)),
        "encounter_id": reference_id(observation.child("encounter"), ("Encounter",)),
        "status": status,
        "category": kinds[0] if kinds else None,
        "categories": kinds,
        **code_columns(observation),
        **effective_columns(observation),
        "issued": observation.date("issued")[0],
        **value_columns(observation),
        "interpretation": concept_code(first_of(observation, "interpretation")),
        "absent_reason": concept_code(observation.child("dataAbsentReason")),
        **reference_columns(observation),
        "body_site": concept_label(observation.child("bodySite")),
        "method": concept_label(observation.child("method")),
        "note": joined([n.text("text") for n in observation.children("note")], "\n"),
        "components": components(observation),
    }
