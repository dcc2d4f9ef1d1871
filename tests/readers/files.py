"""Reads one file with DuckDB, Polars and pyarrow, which must all see the same rows, names and types."""

import datetime
import json

import duckdb
import polars
import pyarrow
import pyarrow.csv
import pyarrow.json
import pyarrow.parquet

from common import COLUMNS, TEXT_COLUMNS, TIMES, same


# Parquet: each reader gives names with types, and rows with times as microseconds.


def of_duckdb(source):
    """A table function, as `read_parquet('…')`."""
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
        described = base.execute(f"describe select * from {source}").fetchall()
        types = {row[0]: words.get(row[1], row[1]) for row in described}
        cells = [f"epoch_us({name})" if name in TIMES else f'"{name}"' for name in types]
        rows = base.execute(f"select {', '.join(cells)} from {source}").fetchall()
    return types, [tuple(row) for row in rows]


def of_polars(frame):
    words = {
        polars.String: "text",
        polars.Datetime("us", "UTC"): "instant",
        polars.Datetime("us"): "civil",
        polars.Int16: "int16",
        polars.Int64: "int64",
        polars.Float64: "double",
        polars.Binary: "bytes",
    }
    types = {name: words.get(kind, str(kind)) for name, kind in frame.schema.items()}
    return types, frame.with_columns(polars.col(TIMES).dt.epoch("us")).rows()


def of_pyarrow(table):
    words = {
        pyarrow.string(): "text",
        pyarrow.timestamp("us", "UTC"): "instant",
        pyarrow.timestamp("us"): "civil",
        pyarrow.int16(): "int16",
        pyarrow.int32(): "int32",
        pyarrow.int64(): "int64",
        pyarrow.float64(): "double",
        pyarrow.binary(): "bytes",
    }
    types = {field.name: words.get(field.type, str(field.type)) for field in table.schema}
    columns = [
        column.cast(pyarrow.int64()) if name in TIMES else column
        for name, column in zip(table.column_names, table.columns)
    ]
    return types, list(zip(*(column.to_pylist() for column in columns)))


def parquet_duckdb(path):
    with duckdb.connect() as base:
        pairs = base.execute("select key, value from parquet_kv_metadata(?)", [path]).fetchall()
    metadata = {key.decode(): value.decode() for key, value in pairs}
    return *of_duckdb(f"read_parquet('{path}')"), metadata


def parquet_polars(path):
    return *of_polars(polars.read_parquet(path)), polars.read_parquet_metadata(path)


def parquet_pyarrow(path):
    pairs = pyarrow.parquet.read_metadata(path).metadata
    metadata = {key.decode(): value.decode() for key, value in pairs.items()}
    return *of_pyarrow(pyarrow.parquet.read_table(path)), metadata


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
