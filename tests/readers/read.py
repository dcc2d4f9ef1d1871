"""Runs glucopipe with virtual meters and reads its files with DuckDB, Polars and pyarrow.

Every reader must see the same rows, names and types. Usage: read.py PROGRAM PIPELINE
"""

import pathlib
import sys
import tempfile
from decimal import ROUND_HALF_UP, Decimal

import duckdb
import polars
import pyarrow

import sets
from common import run, same
from files import as_text, read_csv, read_jsonl, read_parquet

# Two meters, two units, every kind of reading, times that stay unresolved, and one result that cannot be
# parsed and is set aside: all sinks get the same readings.
MIXED = """
[sources.mmol]
driver = "contour"
device = "virtual:contour-next-link-mmol?records=700&seed=7&serial=R1"

[sources.usb]
driver = "contour"
device = "virtual:contour-next-usb?records=900&seed=8&serial=R2&fault=odd:5"

[sinks.csv]
exporter = "csv"
inputs = ["mmol", "usb"]
path = "set"

[sinks.jsonl]
exporter = "jsonl"
inputs = ["mmol", "usb"]
path = "set"

[sinks.parquet]
exporter = "parquet"
inputs = ["mmol", "usb"]
path = "set"

[sinks.dump]
exporter = "csv"
profile = "glucometerutils"
inputs = ["mmol", "usb"]
path = "set"
"""


def in_mmol(rows):
    """The rows as the transform `units` with one decimal makes them."""

    def converted(value):
        exact = Decimal(repr(value)) / Decimal("18.01559")
        return float(exact.quantize(Decimal("0.1"), ROUND_HALF_UP))

    changed = []
    for row in rows:
        if row["unit"] == "mg/dL":
            limit = row["range_limit"]
            row = row | {
                "value": converted(row["value"]),
                "unit": "mmol/L",
                "range_limit": None if limit is None else converted(limit),
            }
        changed.append(row)
    return changed


def default_pipeline(program, pipeline, home):
    sheet, lake = home / "readings.csv", home / "lake"
    run(program, pipeline, {"sheet": sheet, "lake": lake})
    (file,) = lake.iterdir()
    rows = read_parquet(file)
    same("number of readings", len(rows), 300)
    same("times resolved", all(row["time"] is not None for row in rows), True)
    same("frames kept", all(row["raw"] for row in rows), True)
    same("the sheet in mmol/L", read_csv(sheet), as_text(in_mmol(rows)))
    same("a folder as data set", polars.read_parquet(lake).height, len(rows))


def mixed_pipeline(program, home):
    pipeline = home / "mixed.toml"
    pipeline.write_text(MIXED, "utf-8")
    names = {"csv": "a.csv", "jsonl": "a.jsonl", "parquet": "a.parquet", "dump": "dump.csv"}
    targets = {sink: home / name for sink, name in names.items()}
    run(program, pipeline, targets)
    rows = read_parquet(targets["parquet"])
    same("number of readings", len(rows), 700 + 900 - 1)
    same("times unresolved", {row["time"] for row in rows}, {None})
    same("units", {"mg/dL", "mmol/L"} <= {row["unit"] for row in rows}, True)
    same("ranges", {row["range"] for row in rows}, {"in", "above", "below"})
    same("CSV", read_csv(targets["csv"]), as_text(rows))
    same("JSON Lines", as_text(read_jsonl(targets["jsonl"])), as_text(rows))
    glucose = [row for row in rows if row["kind"] == "glucose"]
    same("kinds", len(glucose) < len(rows), True)
    lines = targets["dump"].read_text("utf-8").splitlines()
    same("glucometerutils: lines", len(lines), len(glucose))


def main():
    program, pipeline = sys.argv[1:]
    with tempfile.TemporaryDirectory() as home:
        default_pipeline(program, pipeline, pathlib.Path(home))
    with tempfile.TemporaryDirectory() as home:
        mixed_pipeline(program, pathlib.Path(home))
    with tempfile.TemporaryDirectory() as home:
        sets.check(program, pathlib.Path(home))
    readers = f"DuckDB {duckdb.__version__}, Polars {polars.__version__}, pyarrow {pyarrow.__version__}"
    print(f"{readers}: same rows, columns and types")


if __name__ == "__main__":
    main()
