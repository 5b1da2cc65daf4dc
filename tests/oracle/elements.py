# SPDX-License-Identifier: Apache-2.0
"""How elements of a resource are read: the rules of docs/MAPPING.md §1 that hold for every column."""

import re
from decimal import Decimal

import dates
from fhirjson import Num, Obj, depth, dumps

ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")
NESTING = 32


class Reject(Exception):
    """The resource cannot be mapped."""

    def __init__(self, reason, pointer):
        super().__init__(f"{reason} at {pointer or '/'}")
        self.reason = reason
        self.pointer = pointer


def absent(value):
    return value is None or (type(value) is str and value == "") or (type(value) is list and not value)


class Element:
    """An object of the resource with its JSON pointer. Every reader gives None for what is absent."""

    def __init__(self, obj, pointer=""):
        if not isinstance(obj, dict):
            raise Reject("is not an object", pointer)
        self.obj = obj
        self.pointer = pointer

    def at(self, key):
        return f"{self.pointer}/{key}"

    def has(self, key):
        return not absent(self.obj.get(key))

    def filled(self, key):
        """As has(), but an array needs an entry that is there."""
        value = self.obj.get(key)
        return not absent(value) and (type(value) is not list or any(v is not None and v != "" for v in value))

    def raw(self, key):
        value = self.obj.get(key)
        return None if absent(value) else value

    def text(self, key):
        value = self.raw(key)
        return None if value is None else string(value, self.at(key))

    def boolean(self, key):
        value = self.raw(key)
        if value is not None and type(value) is not bool:
            raise Reject("is not true or false", self.at(key))
        return value

    def number(self, key):
        value = self.raw(key)
        if value is not None and type(value) is not Num:
            raise Reject("is not a number", self.at(key))
        return None if value is None else numeric(value, self.at(key))

    def date(self, key):
        """(microseconds, precision), or (None, None)."""
        return parsed(self.text(key), self.at(key))

    def child(self, key):
        value = self.raw(key)
        return None if value is None else Element(value, self.at(key))

    def entries(self, key):
        """(pointer, value) of each entry that is there, unchecked."""
        value = self.raw(key)
        if value is None:
            return []
        if type(value) is not list:
            raise Reject("is not an array", self.at(key))
        return [(f"{self.at(key)}/{i}", v) for i, v in enumerate(value) if v is not None and not (type(v) is str and v == "")]

    def children(self, key):
        return [Element(v, pointer) for pointer, v in self.entries(key)]

    def texts(self, key):
        return [string(value, pointer) for pointer, value in self.entries(key)]

    def choice(self, name, allowed):
        """Key and type of name[x]; (None, None) without one."""
        keys = [k for k, v in self.obj.items() if v is not None and re.match(name + "[A-Z]", k)]
        if len(keys) > 1:
            raise Reject(f"{name}[x] is there more than once", self.at(keys[1]))
        if not keys:
            return None, None
        kind = keys[0][len(name):]
        if kind not in allowed:
            # a pointer is shown to people: nothing of a key that is no element's name
            known = re.fullmatch("[A-Za-z0-9]+", keys[0])
            raise Reject(f"{name}[x] has an unknown type", self.at(keys[0]) if known else self.pointer)
        return keys[0], kind


def string(value, pointer):
    if type(value) is not str:
        raise Reject("is not a string", pointer)
    clean(value, pointer)
    return value


def clean(text, pointer):
    if "\0" in text or any("\ud800" <= c <= "\udfff" for c in text):
        raise Reject("holds U+0000 or is not UTF-8", pointer)


def parsed(text, pointer):
    if text is None:
        return None, None
    found = dates.parse(text)
    if not found:
        raise Reject("is not a date", pointer)
    return found


def numeric(text, pointer):
    """The text that PostgreSQL's numeric has for a JSON number."""
    value = Decimal(text)
    if value.adjusted() > 131071 or value.as_tuple().exponent < -16383:
        raise Reject("is a number out of range", pointer)
    if not value:
        value = abs(value)
    return Num(format(value, "f"))


def compact(value, pointer):
    """Compact JSON of a value that has no column of its own."""
    if depth(value) > NESTING:
        raise Reject("is nested too deeply", pointer)
    check(value, pointer)
    return dumps(value)


def check(value, pointer):
    if isinstance(value, dict):
        for key, item in getattr(value, "pairs", None) or value.items():
            clean(key, pointer)
            check(item, pointer)
    elif type(value) is list:
        for item in value:
            check(item, pointer)
    elif type(value) is str:
        clean(value, pointer)
    elif type(value) is Num:
        numeric(value, pointer)


def drop(**fields):
    """An object of those fields that are not None."""
    return Obj((k, v) for k, v in fields.items() if v is not None)


def first(iterable):
    return next((v for v in iterable if v is not None), None)


def joined(parts, separator):
    parts = [p for p in parts if p is not None]
    return separator.join(parts) if parts else None


def concept_code(concept):
    if concept is None:
        return None
    return first(c.text("code") for c in concept.children("coding")) or concept.text("text")


def concept_label(concept):
    if concept is None:
        return None
    return (
        first(c.text("display") for c in concept.children("coding"))
        or concept.text("text")
        or first(c.text("code") for c in concept.children("coding"))
    )


def reference_id(reference, allowed):
    if reference is None:
        return None
    kind = reference.text("type")
    target = reference.text("reference")
    if target is None or (kind is not None and kind.rsplit("/", 1)[-1] not in allowed):
        return None
    if "#" in target or "?" in target:
        return None
    if target.startswith("urn:uuid:"):
        found = target[len("urn:uuid:"):]
    elif target.startswith("urn:"):
        return None
    else:
        parts = target.split("/")
        if len(parts) >= 4 and parts[-2] == "_history":
            parts = parts[:-2]
        if len(parts) < 2 or parts[-2] not in allowed:
            return None
        found = parts[-1]
    return found if ID.fullmatch(found) else None


def current(element, now):
    """Whether element.period is current at `now`; what cannot be read in it counts as absent."""
    period = element.obj.get("period")
    if not isinstance(period, dict):
        return True
    start, end = (dates.parse(v) if type(v) is str else None for v in (period.get("start"), period.get("end")))
    if start and start[0] > now:
        return False
    if not end:
        return True
    return end[0] >= now if end[1] == "second" else dates.after(*end) > now
