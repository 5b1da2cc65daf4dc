# SPDX-License-Identifier: Apache-2.0
"""FHIR's dates, written from docs/MAPPING.md §1: microseconds since 1970 in UTC, with their precision."""

import datetime
import re

_FORM = re.compile(
    r"([0-9]{4})(?:-([0-9]{2})(?:-([0-9]{2})(?:T([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]+))?(Z|[+-][0-9]{2}:[0-9]{2})?)?)?)?"
)
_EPOCH = datetime.datetime(1970, 1, 1)
FIRST = -62135596800 * 1000000  # 0001-01-01T00:00:00Z
LAST = 253402300800 * 1000000  # the instant after the year 9999


def micros(moment):
    delta = moment - _EPOCH
    return (delta.days * 86400 + delta.seconds) * 1000000 + delta.microseconds


def parse(text):
    """(microseconds, precision), or None when the text is refused."""
    match = _FORM.fullmatch(text)
    if not match:
        return None
    year, month, day, hour, minute, second, fraction, zone = match.groups()
    precision = "second" if hour else "day" if day else "month" if month else "year"
    try:
        date = datetime.datetime(int(year), int(month or 1), int(day or 1))
    except ValueError:
        return None
    value = micros(date)
    if hour:
        if int(hour) > 23 or int(minute) > 59 or int(second) > 60:
            return None
        value += ((int(hour) * 60 + int(minute)) * 60 + int(second)) * 1000000
        value += int(((fraction or "") + "000000")[:6])
        if zone and zone != "Z":
            hours, minutes = int(zone[1:3]), int(zone[4:6])
            if minutes > 59 or hours > 14 or (hours == 14 and minutes):
                return None
            offset = (hours * 60 + minutes) * 60 * 1000000
            value += offset if zone[0] == "-" else -offset
    if not FIRST <= value < LAST:
        return None
    return value, precision


def after(value, precision):
    """The first instant after the whole year, month or day that begins at `value`."""
    moment = _EPOCH + datetime.timedelta(microseconds=value)
    if precision == "day":
        return value + 86400 * 1000000
    year, month = moment.year, moment.month
    if precision == "month":
        year, month = (year, month + 1) if month < 12 else (year + 1, 1)
    else:
        year, month = year + 1, 1
    return LAST if year > 9999 else micros(datetime.datetime(year, month, 1))
