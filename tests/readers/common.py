"""What all parts of this test need."""

import os
import pathlib
import subprocess
import sys

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


def run(program, pipeline, targets, *more):
    """Runs a pipeline into these files, with a clock that stands still and no other settings."""
    home = pathlib.Path(next(iter(targets.values()))).parent
    settings = [f"sinks.{sink}.path={path}" for sink, path in targets.items()]
    call(program, home, "run", str(pipeline), *(word for key in [*settings, *more] for word in ("--set", key)))


def call(program, home, *words):
    """Runs the program, which must end well."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("GLUCOPIPE")}
    clean |= {"GLUCOPIPE_CLOCK": "2026-05-30T15:12:00Z", "TZ": "UTC", "XDG_STATE_HOME": str(home)}
    command = [program, *words]
    done = subprocess.run(command, env=clean, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}\nended with {done.returncode}:\n{done.stderr}")
