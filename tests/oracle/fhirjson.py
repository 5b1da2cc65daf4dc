# SPDX-License-Identifier: Apache-2.0
"""JSON whose numbers keep the text that they were written with.

Python's own json makes floats of decimals; here a number is a Num, a str with its text. Objects keep their repeated keys: the first
counts on access, all are in `pairs`.
"""

import json
from json.encoder import encode_basestring as quote


class Num(str):
    """A JSON number, as written."""


class Obj(dict):
    """A JSON object. `pairs` holds every key in order when one is repeated, else None."""

    pairs = None


def _object(pairs):
    obj = Obj(reversed(pairs)) if len(pairs) > 1 else Obj(pairs)
    if len(obj) != len(pairs):
        obj.pairs = pairs
        return obj
    if len(pairs) > 1:
        obj = Obj(pairs)
    return obj


_decoder = json.JSONDecoder(object_pairs_hook=_object, parse_float=Num, parse_int=Num, strict=False)


def loads(text):
    if isinstance(text, bytes):
        text = text.decode("utf-8")
    return _decoder.decode(text)


def dumps(value):
    """Compact JSON: keys in their order, no white space, only what must be escaped is."""
    out = []
    _write(value, out.append)
    return "".join(out)


def _write(value, put):
    kind = type(value)
    if kind is Num:
        put(value)
    elif kind is str:
        put(quote(value))
    elif isinstance(value, dict):
        separator = "{"
        for key, item in getattr(value, "pairs", None) or value.items():
            put(separator)
            put(quote(key))
            put(":")
            _write(item, put)
            separator = ","
        put("}" if separator == "," else "{}")
    elif kind is list:
        separator = "["
        for item in value:
            put(separator)
            _write(item, put)
            separator = ","
        put("]" if separator == "," else "[]")
    elif value is True:
        put("true")
    elif value is False:
        put("false")
    elif value is None:
        put("null")
    elif kind is int:
        put(str(value))
    else:
        raise TypeError(f"not JSON: {kind}")


def depth(value):
    """Levels of nesting; a scalar has none, an empty object one."""
    if isinstance(value, dict):
        return 1 + max((depth(v) for v in value.values()), default=0)
    if type(value) is list:
        return 1 + max((depth(v) for v in value), default=0)
    return 0
