# SPDX-License-Identifier: Apache-2.0
"""Resources with the shapes that Synthea never makes and other systems do: partial dates, every value[x] and effective[x], several
names, addresses, codings, references of every form. All are valid FHIR R4 that HAPI keeps as it is."""

from fhirjson import loads

PATIENTS = r"""
{"id": "odd-bare", "address": [{"postalCode": "02139"}]}
{"id": "odd-names", "name": [
    {"use": "old", "family": "Früher", "given": ["Aña"]},
    {"use": "usual", "family": "Őry", "given": ["Zoë", "M."], "prefix": ["Dr.", "Prof."], "suffix": ["Jr.", "PhD"]},
    {"use": "official", "family": "Past", "given": ["P"], "period": {"end": "2001"}},
    {"use": "maiden", "text": "Née"}],
    "birthDate": "1950-07", "deceasedDateTime": "2019", "address": [{"use": "home", "postalCode": "02139-0001", "line": ["1 A St", "Apt 2"]}]}
{"id": "odd-text-name", "name": [{"text": "李小龍"}], "birthDate": "1940", "deceasedBoolean": false, "active": false, "gender": "other",
    "address": [{"text": "Somewhere, Cambridge", "postalCode": "02139"}]}
{"id": "odd-addresses", "address": [
    {"use": "old", "city": "Boston", "postalCode": "02101", "period": {"start": "1990", "end": "1999-12"}},
    {"use": "work", "city": "Cambridge", "district": "Middlesex", "postalCode": "02139-4307", "country": "US"},
    {"use": "home", "type": "postal", "city": "PO", "postalCode": "02140"},
    {"use": "home", "type": "physical", "city": "Home", "postalCode": "02141", "state": "MA"}]}
{"id": "odd-contacts", "telecom": [
    {"system": "phone", "value": "555-0001", "use": "old"}, {"system": "phone", "value": "555-0002", "use": "work", "rank": 2},
    {"system": "phone", "value": "555-0003", "use": "mobile", "rank": 1}, {"system": "email", "value": "a@example.org", "period": {"end": "2000"}},
    {"system": "email", "value": "b@example.org"}, {"system": "fax", "value": "555-0004"}],
    "communication": [{"language": {"text": "Klingon"}}, {"language": {"coding": [{"code": "de"}]}, "preferred": true}],
    "maritalStatus": {"coding": [{"display": "no code"}], "text": "It's complicated"},
    "managingOrganization": {"reference": "Organization/org-1"},
    "generalPractitioner": [{"display": "someone"}, {"reference": "Practitioner/gp-1"}],
    "identifier": [{"value": "no system"}, {"type": {"text": "typed"}, "use": "secondary", "system": "urn:x", "value": "1"},
        {"type": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "MR"}]}, "value": "MR-\"quoted\"\\"}],
    "address": [{"use": "home", "postalCode": "02139", "city": "Cambridge"}]}
{"id": "odd-race", "extension": [
    {"url": "http://hl7.org/fhir/us/core/StructureDefinition/us-core-race", "extension": [
        {"url": "ombCategory", "valueCoding": {"code": "2106-3", "display": "White"}},
        {"url": "ombCategory", "valueCoding": {"code": "2028-9"}}]}],
    "deceasedDateTime": "2015-02-14T13:42:00.123+10:00", "birthDate": "1930-01-31", "address": [{"use": "billing", "postalCode": "02139"}]}
{"id": "odd-near", "name": [{"family": "Near"}], "address": [{"postalCode": "02138-2139", "text": "02139"}, {"city": "02139"}]}
{"id": "odd-longer", "name": [{"family": "Longer"}], "address": [{"postalCode": "021390"}]}
"""

OBSERVATIONS = r"""
{"id": "odd-period", "effectivePeriod": {"start": "2019-07", "end": "2019-08-02T10:00:00.123456789+02:00"}, "valuePeriod": {"start": "2018", "end": "2019-02-03"}}
{"id": "odd-instant", "effectiveInstant": "2015-02-07T13:28:17.239+02:00", "valueBoolean": false}
{"id": "odd-timing", "effectiveTiming": {"event": ["2020-02-01T00:00:00Z", "2020-01-01", "2020-03-01T12:00:00-05:00"]}, "valueInteger": -7}
{"id": "odd-bounds", "effectiveTiming": {"repeat": {"boundsPeriod": {"start": "2020-01-01", "end": "2020-02"}, "frequency": 1, "period": 1, "periodUnit": "d"}}, "valueTime": "11:30:00"}
{"id": "odd-range", "effectiveDateTime": "2019", "valueRange": {"low": {"value": 1.0, "unit": "m"}, "high": {"value": 2.50, "unit": "m"}}}
{"id": "odd-ratio", "effectiveDateTime": "2019-07", "valueRatio": {"numerator": {"value": 1}, "denominator": {"value": 128, "unit": "ü\"\\/"}}}
{"id": "odd-sampled", "valueSampledData": {"origin": {"value": 0}, "period": 10, "dimensions": 1, "data": "1 2 E 3"}}
{"id": "odd-datetime", "effectiveDateTime": "2019-07-04", "valueDateTime": "2019-07-04T23:59:59.5-04:00"}
{"id": "odd-string", "effectiveDateTime": "2019-07-04T23:59:59Z", "valueString": "line one\nline \"two\" \\ ünïcödé 🩺"}
{"id": "odd-quantity", "effectiveDateTime": "1968-05-14T11:10:49+00:00", "valueQuantity": {"value": 0.00000012, "comparator": "<", "unit": "10*3/uL", "system": "http://unitsofmeasure.org", "code": "10*3/uL"}}
{"id": "odd-scale", "valueQuantity": {"value": 12345678901234567890.12345600, "unit": "µg"}, "issued": "2020-01-01T00:00:00.001Z"}
{"id": "odd-absent", "status": "entered-in-error", "dataAbsentReason": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/data-absent-reason", "code": "unknown"}]}}
{"id": "odd-absent-text", "status": "cancelled", "dataAbsentReason": {"text": "ran out of tubes"}, "interpretation": [{"coding": [{"code": "H"}]}, {"text": "second"}]}
{"id": "odd-codings", "category": [{"coding": [{"code": "laboratory"}, {"code": "vital-signs"}]}, {"text": "Home"}, {"coding": [{"code": "laboratory"}]}],
    "code": {"coding": [{"system": "http://snomed.info/sct", "code": "271649006", "display": "Systolic"}, {"system": "http://loinc.org", "code": "8480-6"}], "text": "BP"}}
{"id": "odd-selected", "code": {"coding": [{"system": "http://loinc.org", "code": "8480-6"}, {"code": "mine", "userSelected": true}]},
    "valueCodeableConcept": {"coding": [{"system": "urn:a", "code": "a", "display": "A"}, {"system": "urn:b", "code": "b", "userSelected": true}]}}
{"id": "odd-text-code", "code": {"text": "only text"}, "valueCodeableConcept": {"text": "free"}}
{"id": "odd-range-text", "referenceRange": [{"low": {"value": 1.10}, "high": {"value": 2}, "text": "1.1 to 2"}, {"low": {"value": 9}}],
    "bodySite": {"coding": [{"code": "368209003", "display": "Right arm"}]}, "method": {"coding": [{"code": "m1"}]},
    "note": [{"text": "first"}, {"text": "second\nline"}]}
{"id": "odd-components", "component": [
    {"code": {"coding": [{"system": "http://loinc.org", "code": "8480-6", "display": "Systolic"}]}, "valueQuantity": {"value": 120.0, "code": "mm[Hg]"}},
    {"code": {"text": "text only"}, "valueString": "s\"\u0001"}, {"code": {"coding": [{"code": "b"}]}, "valueBoolean": true},
    {"code": {"coding": [{"code": "i"}]}, "valueInteger": 3}, {"code": {"coding": [{"code": "d"}]}, "valueDateTime": "2019-07"},
    {"code": {"coding": [{"code": "t"}]}, "valueTime": "01:02:03"}, {"code": {"coding": [{"code": "p"}]}, "valuePeriod": {"start": "2019"}},
    {"code": {"coding": [{"code": "r"}]}, "valueRange": {"low": {"value": 1.50}}}, {"code": {"coding": [{"code": "ra"}]}, "valueRatio": {"numerator": {"value": 1}, "denominator": {"value": 2}}},
    {"code": {"coding": [{"code": "c"}]}, "valueCodeableConcept": {"coding": [{"system": "s", "code": "x", "display": "X"}]}},
    {"code": {"coding": [{"code": "a"}]}, "dataAbsentReason": {"coding": [{"code": "masked"}]}, "interpretation": [{"coding": [{"code": "L"}]}]},
    {"code": {"coding": [{"code": "q"}]}, "valueQuantity": {"value": 5, "comparator": ">=", "unit": "h", "code": "hr"}}]}
{"id": "odd-encounter", "encounter": {"reference": "Encounter/enc-1"}, "performer": [{"display": "nobody"}]}
"""


def _lines(text):
    """One object after another; an indented line goes on with the one before."""
    return [loads(part) for part in text.strip().replace("\n    ", " ").split("\n")]


def patients():
    for patient in _lines(PATIENTS):
        yield {"resourceType": "Patient", **patient}


def observations(subject):
    """Each with a status, a code and that patient unless it brings its own."""
    for observation in _lines(OBSERVATIONS):
        yield {
            "resourceType": "Observation",
            "status": "final",
            "code": {"coding": [{"system": "http://loinc.org", "code": "29463-7", "display": "Body weight"}]},
            "subject": {"reference": "Patient/" + subject},
            **observation,
        }
