# SPDX-License-Identifier: Apache-2.0
"""The columns of `patient`, from docs/MAPPING.md §3."""

import re

from elements import Reject, concept_code, current, drop, first, joined, reference_id

NAME_USE = {"official": 0, "usual": 1, "temp": 3, "nickname": 4, "anonymous": 5, "old": 6, "maiden": 7}
ADDRESS_USE = {"home": 0, "work": 2, "temp": 3, "old": 4, "billing": 5}
CONTACT_USE = {"home": 0, "mobile": 1, "work": 2, "temp": 4, "old": 5}
US_CORE = "http://hl7.org/fhir/us/core/StructureDefinition/"
RANK = re.compile("[1-9][0-9]{0,8}|0{1,8}[1-9][0-9]*")
INDEXED = 1024


def use_of(element, order, other):
    use = element.obj.get("use")
    return order.get(use, other) if type(use) is str else other


def chosen(element, key, parts, rank):
    """The smallest entry of element[key] that has one of `parts`; ties go to the first."""
    found = [e for e in element.children(key) if any(e.filled(p) for p in parts)]
    return min(found, key=rank, default=None)


def limited(text, pointer):
    if text is not None and len(text.encode()) > INDEXED:
        raise Reject("is longer than 1,024 bytes", pointer)
    return text


def name_columns(patient, now):
    name = chosen(patient, "name", ("family", "given", "text"),
        lambda e: (not current(e, now), use_of(e, NAME_USE, 2)))
    if name is None:
        return {}
    given = name.texts("given")
    prefix, suffix = joined(name.texts("prefix"), " "), joined(name.texts("suffix"), " ")
    family = limited(name.text("family"), name.at("family"))
    return {
        "family_name": family,
        "given_names": given or None,
        "first_name": limited(given[0], name.at("given")) if given else None,
        "prefix": prefix,
        "suffix": suffix,
        "full_name": name.text("text") or joined([prefix, *given, family, suffix], " "),
    }


def address_columns(patient, now):
    columns = {"postal_codes": [c for c in (a.text("postalCode") for a in patient.children("address")) if c is not None] or None}
    address = chosen(patient, "address", ("line", "text", "city", "district", "state", "postalCode", "country"),
        lambda e: (not current(e, now), use_of(e, ADDRESS_USE, 1), e.obj.get("type") == "postal"))
    if address is not None:
        columns["address_line"] = joined(address.texts("line"), ", ") or address.text("text")
        columns["postal_code"] = address.text("postalCode")
        for key in ("city", "district", "state", "country"):
            columns[key] = address.text(key)
    return columns


def contact(patient, system, now):
    def rank(element):
        number = element.obj.get("rank")
        known = RANK.fullmatch(number) if isinstance(number, str) and type(number) is not str else None
        return (not current(element, now), int(number) if known else 10**9, use_of(element, CONTACT_USE, 3))

    found = [e for e in patient.children("telecom") if e.obj.get("system") == system and e.has("value")]
    best = min(found, key=rank, default=None)
    return best.text("value") if best is not None else None


def us_core(patient, name):
    return first(e if e.obj.get("url") == US_CORE + name else None for e in patient.children("extension"))


def omb(patient, name):
    extension = us_core(patient, name)
    if extension is None:
        return None
    parts = extension.children("extension")
    text = first(p.text("valueString") for p in parts if p.obj.get("url") == "text")
    if text is not None:
        return text
    codings = [p.child("valueCoding") for p in parts if p.obj.get("url") == "ombCategory"]
    return joined([c.text("display") or c.text("code") for c in codings if c is not None], "; ")


def identifier_columns(patient):
    found = mrn = None
    for identifier in patient.children("identifier"):
        kind = identifier.child("type")
        value = identifier.text("value")
        entry = drop(system=identifier.text("system"), value=value, type=concept_code(kind), use=identifier.text("use"))
        if entry:
            found = (found or []) + [entry]
        if mrn is None and value and kind and any(c.text("code") == "MR" for c in kind.children("coding")):
            mrn = value
    return {"identifiers": found, "mrn": mrn}


def deceased_columns(patient):
    key, kind = patient.choice("deceased", ("Boolean", "DateTime"))
    if kind == "Boolean":
        return {"deceased": patient.boolean(key)}
    if kind == "DateTime":
        moment, precision = patient.date(key)
        return {"deceased": True if moment is not None else None, "deceased_at": moment, "deceased_precision": precision}
    return {}


def birth_columns(patient):
    moment, precision = patient.date("birthDate")
    if precision == "second":
        raise Reject("has a time", patient.at("birthDate"))
    text = patient.text("birthDate")
    day = text and text + {"year": "-01-01", "month": "-01", "day": ""}[precision]
    return {"birth_date": day, "birth_date_precision": precision}


def language(patient):
    entries = patient.children("communication")
    best = first(e if e.obj.get("preferred") is True else None for e in entries) or (entries[0] if entries else None)
    return concept_code(best.child("language")) if best is not None else None


def columns(patient, now):
    birth_sex = us_core(patient, "us-core-birthsex")
    return {
        "active": patient.boolean("active"),
        **name_columns(patient, now),
        "gender": patient.text("gender"),
        **birth_columns(patient),
        **deceased_columns(patient),
        **address_columns(patient, now),
        "phone": contact(patient, "phone", now),
        "email": contact(patient, "email", now),
        "marital_status": concept_code(patient.child("maritalStatus")),
        "language": language(patient),
        "race": omb(patient, "us-core-race"),
        "ethnicity": omb(patient, "us-core-ethnicity"),
        "birth_sex": birth_sex.text("valueCode") if birth_sex is not None else None,
        **identifier_columns(patient),
        "managing_organization": reference_id(patient.child("managingOrganization"), ("Organization",)),
        "general_practitioner": first(
            reference_id(r, ("Practitioner", "PractitionerRole", "Organization")) for r in patient.children("generalPractitioner")
        ),
    }


def lives_in(patient, zipcode):
    """Whether any address has the zip code, alone or with a four-digit add-on; `patient` is the resource."""
    form = re.compile(re.escape(zipcode) + r"(?:[- ]?[0-9]{4})?")
    addresses = patient.get("address") or []
    return any(type(a.get("postalCode")) is str and form.fullmatch(a["postalCode"]) for a in addresses if isinstance(a, dict))
