# SPDX-License-Identifier: Apache-2.0
"""scenarios: each fault of docs/FAULTS.md, where it makes sense, in a full run and in an incremental one."""

# a good source that stumbles: within the run all is made good. Where requests are under way at once a script has three stumbles,
# fewer than a request's four attempts: chance may give them all to one
STUMBLES = ["status 500", "status 502, html", "status 503 retry-after 0", "status 429 retry-after 0", "status 408",
            "status 503 retry-after-date 0", "html", "empty", "not-fhir", "delay 100", "drip 400 per 2", "cut after 300", "reset",
            "reset after 200", "wrong-length +50", "wrong-length -50", "invalid-json", "bad-gzip"]
FEW = ["status 500", "html", "reset"]  # of one request, before it is given up
STUMBLING = {
    "patients": [f"on patient search request {2 * i + 2}: {fault}" for i, fault in enumerate(STUMBLES[:9])],
    "patients, the rest": [f"on patient search request {2 * i + 2}: {fault}" for i, fault in enumerate(STUMBLES[9:])],
    **{f"observations{place}, {part + 1}": [f"on observation {what} request {5 * i + 2}: {fault}"
                                            for i, fault in enumerate(STUMBLES[part * 3:part * 3 + 3])]
       for place, what in (("", "search"), (", later pages", "page")) for part in range(len(STUMBLES) // 3)},
    "counts": [f"on patient count request {i + 1}: {fault}" for i, fault in enumerate(FEW)]
    + [f"on observation count request {i + 1}: {fault}" for i, fault in enumerate(FEW)],
    "capabilities": [f"on metadata request {i + 2}: {fault}" for i, fault in enumerate(["status 500", "reset", "cut after 99"])],
    "history": [f"on history request {i + 1}: {fault}" for i, fault in enumerate(["bad-gzip", "status 503", "not-fhir"])],
    "reads": [f"on read every 3: {fault}" for fault in ("status 500",)],
}

# one thing wrong with one page, and the run finds all the same. True: in an incremental run too
PAGES = [
    ("expire-paging", True), ("lost-next", True), ("duplicate", False), ("silent-cap 9", True), ("missing-entry", True),
    ("outcome-entry", False), ("other-type", False), ("stale-total 3", True), ("stale-total 100000", False),
    ("change-between", False), ("delete-between", True), ("huge-note 20000", False), ("bad-utf8", False), ("clock-skew 7200", False),
]
MENDED = (
    [(f"on {t} page {p}: {fault}", both) for t in ("patient", "observation") for p in (1, 2) for fault, both in PAGES
     if p == 2 or fault in ("lost-next", "silent-cap 9", "duplicate", "missing-entry", "stale-total 3", "bad-utf8")]
    + [("on patient page 1: same-next", False), ("on observation page 1: same-next", False),
       ("on patient count: stale-total 3", True), ("on patient count: stale-total 100000", True),
       ("on observation count: stale-total 0", True),
       # counts that are too small do not hide what was left out
       ("on count always: stale-total 0\non patient page 1: lost-next", True),
       ("on count always: stale-total 0\non observation page 1: lost-next", False),
       ("on patient page 1: lost-next\non patient page 2: delete-between", True), ("on metadata always: clock-skew 86400", True),
       ("on metadata always: clock-skew -86400", True),
       ("on patient page always: expire-paging", True), ("on patient search every 2: expire-paging", False), ("on patient search every 3: lost-next", False)]
)
LATER_MENDED = ["on history: expire-paging", "on history page: expire-paging", "on history: lost-next", "on history: missing-entry",
                "on history page: missing-entry"]

# what cannot be made good: how the run ends, and what it says
REASONS = [
    ("on patient page 2: same-next", "incomplete", "the same next link twice"),
    ("on observation page 2: same-next", "incomplete", "the same next link twice"),
    ("on patient page 1: foreign-next", "incomplete", "behind a proxy the server must be told its outer address"),
    ("on observation page 1: foreign-next", "incomplete", "behind a proxy the server must be told its outer address"),
    ("on metadata from 2: status 404", "failed", "404"),
    ("on metadata from 2: status 403", "failed", "403"),
    ("on metadata from 2: status 500", "failed", "given up after 4 attempts"),
    ("on metadata from 2: html", "failed", "an HTML page instead of FHIR JSON"),
    ("on metadata from 2: not-fhir", "failed", "no FHIR"),
    ("on metadata from 2: empty", "failed", "an empty answer"),
    ("on any from 3: token-expiry", "failed", "the access token has expired"),
    ("on any from 3: reset", "failed", "given up after 4 attempts"),
    ("on patient search always: status 403", "failed", "these credentials may not do this"),
    ("on patient search always: html", "incomplete", "an HTML page instead of FHIR JSON"),
    ("on patient page always: cut after 100", "incomplete", "given up after 4 attempts"),
    ("on observation page always: invalid-json", "incomplete", "JSON that is broken"),
    ("on observation page always: bad-gzip", "incomplete", "given up after 4 attempts"),
    ("on observation page always: wrong-length +9", "incomplete", "given up after 4 attempts"),
    ("on observation search always: status 500", "incomplete", "500"),
    ("on observation search from 20: token-expiry", "failed", "the access token has expired"),
    ("on patient search always: silent-cap 0", "incomplete", "more than it gave"),
    ("on observation search always: silent-cap 0", "incomplete", "more than it gave"),
    ("on observation search always: missing-entry", "incomplete", "more than it gave"),
    ("on patient search always: missing-entry", "incomplete", "more than it gave"),
    ("on count always: stale-total 100000", "incomplete", "more than it gave"),
]
LATER_REASONS = [
    ("on history always: status 500", "failed", "given up after 4 attempts"),
    ("on history always: lost-next", "incomplete", "history of observations ended before"),
    ("on history always: missing-entry", "incomplete", "history of observations ended before"),
    ("on history page always: expire-paging", "failed", "expired"),
    ("on patient page 2: same-next", "incomplete", "the same next link twice"),
    ("on observation search always: missing-entry", "incomplete", "more than it gave"),
    ("on read always: status 500", "incomplete", "500"),
]
