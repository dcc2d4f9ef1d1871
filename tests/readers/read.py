"""Runs glucopipe with virtual meters and reads its files with DuckDB, Polars and pyarrow.

Every reader must see the same rows, names and types. Usage: read.py PROGRAM PIPELINE
"""

import datetime
import json
import os
import pathlib
import subprocess
import sys
import tempfile
from decimal import ROUND_HALF_UP, Decimal

import duckdb
import polars
import pyarrow
import pyarrow.csv
import pyarrow.json
import pyarrow.parquet

# The columns of reading/1, as docs/readings.md promises them.
COLUMNS = {
    "reading_id": "text",
    "time": "instant",
    "local_time": "civil",
    "utc_offset_min": "int16",
    "time_quality": "text",
    "kind": "text",
    "value": "double",
    "unit": "text",
    "range": "text",
    "range_limit": "double",
    "meal": "text",
    "reference": "text",
    "notes": "text",
    "markers": "text",
    "raw_value": "text",
    "raw_unit": "text",
    "record_key": "text",
    "device_model": "text",
    "device_serial": "text",
    "device_firmware": "text",
    "driver": "text",
    "person": "text",
    "clock_offset_s": "int64",
    "read_at": "instant",
    "raw": "bytes",
}
TEXT_COLUMNS = [name for name in COLUMNS if name != "raw"]
TIMES = [name for name, kind in COLUMNS.items() if kind in ("instant", "civil")]

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


def same(what, got, expected):
    """Ends the test when two things differ, and says where first."""
    if got == expected:
        return
    if isinstance(got, list) and isinstance(expected, list):
        if len(got) != len(expected):
            sys.exit(f"{what}: got {len(got)}, expected {len(expected)}")
        row = next(row for row, pair in enumerate(zip(got, expected)) if pair[0] != pair[1])
        got, expected, what = got[row], expected[row], f"{what}, entry {row}"
    sys.exit(f"{what}:\n  got      {got!r}\n  expected {expected!r}")


def run(program, pipeline, targets):
    """Runs a pipeline into these files, with a clock that stands still and no other settings."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("GLUCOPIPE")}
    home = str(pathlib.Path(next(iter(targets.values()))).parent)
    clean |= {"GLUCOPIPE_CLOCK": "2026-05-30T15:12:00Z", "TZ": "UTC", "XDG_STATE_HOME": home}
    command = [program, "run", str(pipeline)]
    for sink, path in targets.items():
        command += ["--set", f"sinks.{sink}.path={path}"]
    done = subprocess.run(command, env=clean, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}\nended with {done.returncode}:\n{done.stderr}")


# Parquet: each reader gives names with types, and rows with times as microseconds.


def parquet_duckdb(path):
    words = {
        "VARCHAR": "text",
        "TIMESTAMP WITH TIME ZONE": "instant",
        "TIMESTAMP": "civil",
        "SMALLINT": "int16",
        "BIGINT": "int64",
        "DOUBLE": "double",
        "BLOB": "bytes",
    }
    with duckdb.connect() as base:
        described = base.execute("describe select * from read_parquet(?)", [path]).fetchall()
        types = {row[0]: words.get(row[1], row[1]) for row in described}
        cells = [f"epoch_us({name})" if name in TIMES else f'"{name}"' for name in types]
        query = f"select {', '.join(cells)} from read_parquet(?)"
        rows = [tuple(row) for row in base.execute(query, [path]).fetchall()]
        pairs = base.execute("select key, value from parquet_kv_metadata(?)", [path]).fetchall()
    return types, rows, {key.decode(): value.decode() for key, value in pairs}


def parquet_polars(path):
    words = {
        polars.String: "text",
        polars.Datetime("us", "UTC"): "instant",
        polars.Datetime("us"): "civil",
        polars.Int16: "int16",
        polars.Int64: "int64",
        polars.Float64: "double",
        polars.Binary: "bytes",
    }
    frame = polars.read_parquet(path)
    types = {name: words.get(kind, str(kind)) for name, kind in frame.schema.items()}
    rows = frame.with_columns(polars.col(TIMES).dt.epoch("us")).rows()
    return types, rows, polars.read_parquet_metadata(path)


def parquet_pyarrow(path):
    words = {
        pyarrow.string(): "text",
        pyarrow.timestamp("us", "UTC"): "instant",
        pyarrow.timestamp("us"): "civil",
        pyarrow.int16(): "int16",
        pyarrow.int64(): "int64",
        pyarrow.float64(): "double",
        pyarrow.binary(): "bytes",
    }
    table = pyarrow.parquet.read_table(path)
    types = {field.name: words.get(field.type, str(field.type)) for field in table.schema}
    columns = [
        column.cast(pyarrow.int64()) if name in TIMES else column
        for name, column in zip(table.column_names, table.columns)
    ]
    rows = list(zip(*(column.to_pylist() for column in columns)))
    pairs = pyarrow.parquet.read_metadata(path).metadata
    return types, rows, {key.decode(): value.decode() for key, value in pairs.items()}


def read_parquet(path):
    """The rows, which all readers must see alike."""
    seen = None
    for reader in (parquet_duckdb, parquet_polars, parquet_pyarrow):
        types, rows, metadata = reader(str(path))
        same(f"{reader.__name__}: columns", list(types.items()), list(COLUMNS.items()))
        same(f"{reader.__name__}: schema", metadata.get("glucopipe.schema"), "reading/1")
        same(f"{reader.__name__}: version", bool(metadata.get("glucopipe.version")), True)
        seen = seen or rows
        same(f"{reader.__name__}: rows", rows, seen)
    order = [(row["local_time"], row["record_key"]) for row in named(seen)]
    same(f"{path.name}: order", order, sorted(order))
    same(f"{path.name}: ids, each once", len({row[0] for row in seen}), len(seen))
    return named(seen)


def named(rows):
    return [dict(zip(COLUMNS, row)) for row in rows]


# CSV and JSON Lines: each reader gives names and, by its own guess of types, the number of rows and the
# sum of `value`; as text, the cells.


def in_duckdb(source, path):
    """Column names, and number of rows with the sum of `value`, of a table function."""
    with duckdb.connect() as base:
        names = [row[0] for row in base.execute(f"describe select * from {source}", [path]).fetchall()]
        total = base.execute(f"select count(*), sum(value) from {source}", [path]).fetchall()[0]
    return names, total


def csv_duckdb(path):
    names, total = in_duckdb("read_csv(?)", path)
    with duckdb.connect() as base:
        cells = base.execute("select * from read_csv(?, all_varchar = true)", [path]).fetchall()
    return names, total, cells


def csv_polars(path):
    guessed = polars.read_csv(path)
    cells = polars.read_csv(path, infer_schema=False)
    return guessed.columns, (guessed.height, guessed["value"].sum()), cells.rows()


def csv_pyarrow(path):
    guessed = pyarrow.csv.read_csv(path)
    as_text = pyarrow.csv.ConvertOptions(
        column_types={name: pyarrow.string() for name in TEXT_COLUMNS}, strings_can_be_null=True
    )
    cells = pyarrow.csv.read_csv(path, convert_options=as_text)
    total = (guessed.num_rows, pyarrow.compute.sum(guessed["value"]).as_py())
    return guessed.column_names, total, [tuple(row.values()) for row in cells.to_pylist()]


def jsonl_duckdb(path):
    return in_duckdb("read_json(?, format = 'newline_delimited')", path)


def jsonl_polars(path):
    # By default it looks at 100 lines, and a column may be null for longer.
    guessed = polars.read_ndjson(path, infer_schema_length=None)
    return guessed.columns, (guessed.height, guessed["value"].sum())


def jsonl_pyarrow(path):
    guessed = pyarrow.json.read_json(path)
    total = (guessed.num_rows, pyarrow.compute.sum(guessed["value"]).as_py())
    return guessed.column_names, total


def read_csv(path):
    """The rows as Parquet has them, which all readers must see alike."""
    seen = None
    for reader in (csv_duckdb, csv_polars, csv_pyarrow):
        names, total, cells = reader(str(path))
        same(f"{reader.__name__}: columns", names, TEXT_COLUMNS)
        rows = [{name: typed(name, cell) for name, cell in zip(names, row)} for row in cells]
        seen = seen or rows
        same(f"{reader.__name__}: rows", rows, seen)
        same_total(reader.__name__, total, rows)
    return seen


def read_jsonl(path):
    """The rows as Parquet has them; all readers must see as many, and the same sum."""
    lines = path.read_text("utf-8").splitlines()
    objects = [json.loads(line) for line in lines]
    for line in objects:
        same("JSON Lines: keys", list(line), TEXT_COLUMNS)
    rows = [
        {name: typed(name, cell) if name in TIMES else cell for name, cell in line.items()}
        for line in objects
    ]
    for reader in (jsonl_duckdb, jsonl_polars, jsonl_pyarrow):
        names, total = reader(str(path))
        same(f"{reader.__name__}: columns", names, TEXT_COLUMNS)
        same_total(reader.__name__, total, rows)
    return rows


def same_total(reader, total, rows):
    same(f"{reader}: number of rows", total[0], len(rows))
    same(f"{reader}: sum of value", round(total[1], 6), round(sum(row["value"] for row in rows), 6))


def typed(name, cell):
    """A cell of text as the reader of Parquet has it."""
    if cell is None or cell == "":
        return None
    kind = COLUMNS[name]
    if kind in ("instant", "civil"):
        moment = datetime.datetime.fromisoformat(cell.removesuffix("Z"))
        same(f"{name} in UTC", cell.endswith("Z"), kind == "instant")
        since = moment - datetime.datetime(1970, 1, 1)
        return since // datetime.timedelta(microseconds=1)
    if kind in ("int16", "int64"):
        return int(cell)
    if kind == "double":
        return float(cell)
    # An apostrophe keeps spreadsheets from running a text.
    return cell[1:] if cell[0] == "'" and cell[1:2] in ("=", "+", "-", "@", "\t", "\r") else cell


def as_text(rows):
    """What of the rows text can say: no bytes, and no difference of nothing and an empty text."""
    return [{name: None if row[name] == "" else row[name] for name in TEXT_COLUMNS} for row in rows]


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
    rows = read_parquet(lake / "readings.parquet")
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
    readers = f"DuckDB {duckdb.__version__}, Polars {polars.__version__}, pyarrow {pyarrow.__version__}"
    print(f"{readers}: same rows, columns and types")


if __name__ == "__main__":
    main()
