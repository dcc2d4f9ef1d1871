"""Data sets in folders: every reader sees the rows of the CSV file of the same pipeline, with the types that
docs/readings.md promises, and opens only the partitions that are asked for.
"""

import datetime
import json
import re

import duckdb
import polars
import pyarrow
import pyarrow.compute
import pyarrow.dataset
import pyarrow.parquet

from common import COLUMNS, TEXT_COLUMNS, call, run, same
from files import as_text, of_duckdb, of_polars, of_pyarrow, read_csv

# Three meters; their people have names that readers would take for a number or a date, or stumble over.
PEOPLE = {"0042": "6301-R1", "2024-01-01": "7413-R2", "Zoë = 1/2 %": "7413-R3"}

PIPELINE = """
[sources.one]
driver = "contour"
device = "virtual:contour-next-link-mmol?seed=7&serial=R1&records=300"

[sources.two]
driver = "contour"
device = "virtual:contour-next-usb?seed=8&serial=R2&records=900"

[sources.three]
driver = "contour"
device = "virtual:contour-next-usb?seed=9&serial=R3&records=40"

[transforms.who]
type = "person"
inputs = ["one", "two", "three"]

[sinks.sheet]
exporter = "csv"
inputs = ["who"]
path = "set"
"""

# The same meters when they held less.
FEWER = {
    "one": "contour-next-link-mmol?seed=7&serial=R1",
    "two": "contour-next-usb?seed=8&serial=R2",
    "three": "contour-next-usb?seed=9&serial=R3",
}

# What each data set is partitioned by. The last is fed past the people, so that all its persons are null.
SETS = {
    "flat": [],
    "years": ["year"],
    "people": ["person", "year"],
    "meters": ["device_serial", "kind", "month"],
    "nobody": ["person"],
}
# The partitions that are no columns of a reading: pyarrow takes the smallest type.
NUMBERS = {"year": ("int64", "int32"), "month": ("int64", "int32")}


def pipeline():
    """The pipeline, with a sink for each data set and the people."""
    text = PIPELINE
    for name, keys in SETS.items():
        inputs = ["one", "two", "three"] if name == "nobody" else ["who"]
        text += f"[sinks.{name}]\nexporter = \"parquet\"\npath = \"set\"\n"
        text += f"inputs = {json.dumps(inputs)}\npartition_by = {json.dumps(keys)}\n\n"
    for person, serial in PEOPLE.items():
        text += f"[persons.{json.dumps(person, ensure_ascii=False)}]\nserials = [\"{serial}\"]\n\n"
    return text


def everything(folder):
    """The files of a data set, for DuckDB, which takes no folder."""
    return f"read_parquet('{folder}/**/*.parquet')"


def set_duckdb(folder):
    return of_duckdb(everything(folder))


def set_polars(folder):
    return of_polars(polars.read_parquet(folder))


def set_pyarrow_dataset(folder):
    return of_pyarrow(pyarrow.dataset.dataset(folder, partitioning="hive").to_table())


def set_pyarrow_table(folder):
    """As pandas reads, too: what folder names say comes as a dictionary."""
    table = pyarrow.parquet.read_table(folder)
    plain = [
        pyarrow.field(field.name, field.type.value_type) if pyarrow.types.is_dictionary(field.type) else field
        for field in table.schema
    ]
    return of_pyarrow(table.cast(pyarrow.schema(plain)))


READERS = (set_duckdb, set_polars, set_pyarrow_dataset, set_pyarrow_table)


def read_set(folder, keys):
    """The rows in the order of their ids, which all readers must see alike."""
    numbers = [key for key in keys if key in NUMBERS]
    seen = None
    for reader in READERS:
        what = f"{folder.name}: {reader.__name__}"
        types, rows = reader(str(folder))
        rows = sorted((dict(zip(types, row)) for row in rows), key=lambda row: row["reading_id"])
        for key in numbers:
            same(f"{what}: {key} is a number", types.pop(key) in NUMBERS[key], True)
            dates = (civil(row["local_time"]) for row in rows)
            same(f"{what}: {key}", [row.pop(key) for row in rows], [getattr(date, key) for date in dates])
        same(f"{what}: columns", sorted(types.items()), sorted(COLUMNS.items()))
        seen = seen or rows
        same(f"{what}: rows", rows, seen)
    same(f"{folder.name}: ids, each once", len({row["reading_id"] for row in seen}), len(seen))
    return seen


def civil(micros):
    return datetime.datetime(1970, 1, 1) + datetime.timedelta(microseconds=micros)


def same_as_sheet(home, rows_of_sheet):
    """All data sets have the rows of the sheet, and their files nothing else in their folders."""
    for name, keys in SETS.items():
        expected = [row | {"person": None} for row in rows_of_sheet] if name == "nobody" else rows_of_sheet
        rows = [{column: row[column] for column in TEXT_COLUMNS} for row in read_set(home / name, keys)]
        same(f"{name}: rows of the sheet", as_text(rows), expected)
        total = round(sum(row["value"] for row in rows), 6)
        same(f"{name}: sum of value", total, round(sum(row["value"] for row in expected), 6))
        others = [path for path in (home / name).rglob("*") if path.is_file() and path.suffix != ".parquet"]
        same(f"{name}: files that are no data", others, [])
    described = json.loads((home / "readings.json").read_text("utf-8"))
    same("readings.json", [column["name"] for column in described["columns"]], list(COLUMNS))


def pruned(home, rows):
    """A query for a person and a year opens the files of that partition, and gives the right answer."""
    folder = str(home / "people")
    for person in PEOPLE:
        mine = [row for row in rows if row["person"] == person]
        year = civil(mine[-1]["local_time"]).year
        mine = [row["value"] for row in mine if civil(row["local_time"]).year == year]
        expected = (len(mine), round(sum(mine), 6))
        opened = len(list((home / "people").glob(f"person={name_of(person)}/year={year}/*.parquet")))
        every = len(list((home / "people").rglob("*.parquet")))
        same(f"{person}: other partitions", 0 < opened < every, True)
        with duckdb.connect() as base:
            query = f"select count(*), sum(value) from {everything(folder)} where person = ? and year = ?"
            answer = base.execute(query, [person, year]).fetchall()[0]
            plan = base.execute(f"explain {query}", [person, year]).fetchall()[0][1]
        same("DuckDB: query", (answer[0], round(answer[1], 6)), expected)
        same("DuckDB: files", re.findall(r"Scanning Files: (\d+)/(\d+)", plan), [(str(opened), str(every))])
        wanted = (polars.col("person") == person) & (polars.col("year") == year)
        query = polars.scan_parquet(folder).filter(wanted).select(polars.len(), polars.col("value").sum())
        answer = query.collect().rows()[0]
        same("Polars: query", (answer[0], round(answer[1], 6)), expected)
        scan = re.search(r"Parquet SCAN \[(.*)\]", query.explain()).group(1)
        more = re.search(r"(\d+) other sources", scan)
        same("Polars: files", 1 + int(more.group(1) if more else scan.count(", ")), opened)
        field = pyarrow.dataset.field
        wanted = (field("person") == person) & (field("year") == year)
        data = pyarrow.dataset.dataset(folder, partitioning="hive")
        values = data.to_table(filter=wanted)["value"]
        same("pyarrow: query", (len(values), round(pyarrow.compute.sum(values).as_py(), 6)), expected)
        same("pyarrow: files", len(list(data.get_fragments(filter=wanted))), opened)


def name_of(person):
    """A name in a folder name."""
    return person.replace("%", "%25").replace("=", "%3D").replace("/", "%2F")


def files_in(home):
    """Every file of the data sets, with what changes when it is touched."""
    files = {}
    for name in [*SETS, "readings.json"]:
        for path in [home / name, *(home / name).rglob("*")]:
            if path.is_file():
                files[path] = (path.stat().st_mtime_ns, path.read_bytes())
    return files


def check(program, home):
    """Several runs, one that has nothing new, and merging."""
    file = home / "sets.toml"
    file.write_text(pipeline(), "utf-8")
    targets = {name: home / name for name in SETS} | {"sheet": home / "sheet.csv"}
    fewer = [f"sources.{source}.device=virtual:{meter}&records=30" for source, meter in FEWER.items()]
    run(program, file, targets, *fewer)
    first = len(read_csv(targets["sheet"]))
    run(program, file, targets)
    sheet = sorted(read_csv(targets["sheet"]), key=lambda row: row["reading_id"])
    same("more readings at the second run", first < len(sheet), True)
    same_as_sheet(home, sheet)
    pruned(home, sheet)

    before = files_in(home)
    run(program, file, targets)
    same("a run without anything new", files_in(home), before)
    for name in SETS:
        call(program, home, "compact", str(home / name))
    after = files_in(home)
    same("fewer files", len(after) < len(before), True)
    same_as_sheet(home, sheet)
    pruned(home, sheet)
    run(program, file, targets)
    same("a run without anything new after merging", files_in(home), after)
