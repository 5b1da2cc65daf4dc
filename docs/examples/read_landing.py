#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""read_landing.py ROOT ZIP: reads the newest run of a zip code out of a landing zone in files, with pandas and with DuckDB, as docs/LANDING.md
describes it; fhirline and its database are not needed. Needs pandas, duckdb and zstandard from PyPI. Prints one JSON object."""
import hashlib
import io
import json
import pathlib
import sys

import duckdb
import pandas
import zstandard


def newest_run(root, zip_code):
    """The manifest of the newest run that has ended: one without a manifest has not. Sorted by name is sorted by time."""
    runs = sorted(root.glob(f"zip={zip_code}/run=*/manifest.json"))
    if not runs:
        sys.exit(f"no run of {zip_code} has ended in {root}")
    return json.loads(runs[-1].read_text())


def checked(root, entry):
    """An object's path; its bytes are those that were landed."""
    path = root / entry["name"]
    if hashlib.sha256(path.read_bytes()).hexdigest() != entry["sha256"]:
        sys.exit(f"{entry['name']} is damaged")
    return path


def with_pandas(paths):
    """One row a resource, its members flattened."""
    rows = []
    for path in paths:
        with path.open("rb") as f:
            reader = zstandard.ZstdDecompressor().stream_reader(f, read_across_frames=True)
            rows += [json.loads(line) for line in io.TextIOWrapper(reader, encoding="utf-8")]
    return pandas.json_normalize(rows) if rows else pandas.DataFrame(columns=["id"])


def with_duckdb(paths):
    """A relation over the files themselves."""
    return duckdb.sql(f"SELECT * FROM read_ndjson_auto({[str(p) for p in paths]}, maximum_object_size = 134217728, union_by_name = true)")


def main(root, zip_code):
    manifest = newest_run(root, zip_code)
    told = {"run_id": manifest["run_id"], "state": manifest["state"]}
    for kind in ("Patient", "Observation"):
        paths = [checked(root, o) for o in manifest["objects"] if o["type"] == kind]
        frame = with_pandas(paths)
        told[kind] = {"landed": manifest["counts"][kind]["landed"], "pandas": len(frame),
                      "duckdb": with_duckdb(paths).count("*").fetchall()[0][0] if paths else 0, "ids": int(frame["id"].nunique())}
    print(json.dumps(told))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(pathlib.Path(sys.argv[1]), sys.argv[2])
