-- Version 1. What is released is never changed: a later version is a step of its own.
-- Moments are microseconds since 1970: UTC where the name ends in `_at`, else what the meter showed.

CREATE TABLE meters (
  meter  INTEGER PRIMARY KEY,
  driver TEXT NOT NULL,              -- the family, as in a reading's identity
  serial TEXT NOT NULL,
  UNIQUE (driver, serial)
) STRICT;

-- One row for each read of a meter, complete or not.
CREATE TABLE sessions (
  session        INTEGER PRIMARY KEY,
  meter          INTEGER NOT NULL REFERENCES meters,
  read_at        INTEGER NOT NULL,
  driver         TEXT NOT NULL,      -- name/version
  transport      TEXT NOT NULL,      -- hid, scsi, serial, virtual, replay
  device         TEXT NOT NULL,      -- the meter's own words: JSON, as the driver gave it
  model          TEXT GENERATED ALWAYS AS (json_extract(device, '$.model')),
  firmware       TEXT GENERATED ALWAYS AS (json_extract(device, '$.firmware')),
  meter_clock    TEXT GENERATED ALWAYS AS (json_extract(device, '$.clock')),
  clock_offset_s INTEGER,            -- meter clock minus the computer's
  whole          INTEGER NOT NULL,   -- everything was asked for, not only what is new
  complete       INTEGER NOT NULL,   -- everything that was asked for came
  reasons        TEXT NOT NULL,      -- why it is not complete: JSON array
  expected       INTEGER,            -- records the meter said it holds
  records        INTEGER NOT NULL,   -- readings that came
  new            INTEGER NOT NULL,   -- of them, readings that no earlier session has
  transcript     TEXT                -- SHA-256 of the transcript, where there is one
) STRICT;
CREATE INDEX sessions_of_meter ON sessions (meter, new);

-- Which meters a source of a pipeline has read: its history when the meter is not there.
CREATE TABLE sources (
  pipeline TEXT NOT NULL,            -- the file
  source   TEXT NOT NULL,
  device   TEXT NOT NULL,            -- its selector, empty for the one attached meter
  meter    INTEGER NOT NULL REFERENCES meters,
  PRIMARY KEY (pipeline, source, device, meter)
) STRICT, WITHOUT ROWID;

-- Readings as the driver gave them at the first read; never changed afterwards.
CREATE TABLE readings (
  reading      INTEGER PRIMARY KEY,
  reading_id   TEXT NOT NULL UNIQUE,
  session      INTEGER NOT NULL REFERENCES sessions,  -- the first that had it
  position     INTEGER NOT NULL,                      -- in that read, from 1
  last_session INTEGER NOT NULL REFERENCES sessions,  -- the latest that had it
  local_time   INTEGER NOT NULL,
  kind         TEXT NOT NULL,
  value        REAL NOT NULL,
  unit         TEXT NOT NULL,
  range        TEXT NOT NULL,
  range_limit  REAL,
  meal         TEXT,
  reference    TEXT,
  notes        TEXT,
  markers      TEXT,
  raw_value    TEXT NOT NULL,
  raw_unit     TEXT NOT NULL,
  record_key   TEXT NOT NULL,
  raw          BLOB
) STRICT;
CREATE INDEX readings_of_session ON readings (session, position);

-- What came later under the key of a reading, and says something else. The reading stays as it is.
CREATE TABLE conflicts (
  reading     INTEGER NOT NULL REFERENCES readings,
  session     INTEGER NOT NULL REFERENCES sessions,   -- the first that had it
  local_time  INTEGER NOT NULL,
  kind        TEXT NOT NULL,
  value       REAL NOT NULL,
  unit        TEXT NOT NULL,
  range       TEXT NOT NULL,
  range_limit REAL,
  meal        TEXT,
  reference   TEXT,
  notes       TEXT,
  markers     TEXT,
  raw_value   TEXT NOT NULL,
  raw_unit    TEXT NOT NULL,
  raw         BLOB
) STRICT;
CREATE INDEX conflicts_of_reading ON conflicts (reading);

-- Records that could not be decoded.
CREATE TABLE set_aside (
  meter        INTEGER NOT NULL REFERENCES meters,
  session      INTEGER NOT NULL REFERENCES sessions,  -- the first that had it
  last_session INTEGER NOT NULL REFERENCES sessions,
  position     INTEGER NOT NULL,
  reason       TEXT NOT NULL,
  raw          TEXT NOT NULL,                         -- hexadecimal
  UNIQUE (meter, reason, raw)
) STRICT;

-- Destinations, whatever they are called in whichever pipeline.
CREATE TABLE sinks (
  sink     INTEGER PRIMARY KEY,
  identity TEXT NOT NULL UNIQUE,     -- SHA-256 of the exporter and what says where it delivers
  exporter TEXT NOT NULL,
  wants    TEXT NOT NULL,            -- everything or new
  pipeline TEXT NOT NULL,            -- where it was last used, and under which name
  name     TEXT NOT NULL
) STRICT;

-- The meters whose readings a sink is to be given.
CREATE TABLE feeds (
  meter INTEGER NOT NULL REFERENCES meters,
  sink  INTEGER NOT NULL REFERENCES sinks,
  PRIMARY KEY (meter, sink)
) STRICT, WITHOUT ROWID;

-- What a sink has answered for.
CREATE TABLE ledger (
  sink    INTEGER NOT NULL REFERENCES sinks,
  reading INTEGER NOT NULL REFERENCES readings,
  told_at INTEGER NOT NULL,
  refused TEXT,                      -- why, when it refused it for good
  PRIMARY KEY (sink, reading)
) STRICT, WITHOUT ROWID;
CREATE INDEX ledger_of_reading ON ledger (reading);

-- Sessions of which a sink has answered for every reading, so that nobody looks through them again.
CREATE TABLE settled (
  sink    INTEGER NOT NULL REFERENCES sinks,
  session INTEGER NOT NULL REFERENCES sessions,
  PRIMARY KEY (sink, session)
) STRICT, WITHOUT ROWID;

-- What was done to a meter.
CREATE TABLE events (
  event   INTEGER PRIMARY KEY,
  done_at INTEGER NOT NULL,
  meter   INTEGER NOT NULL REFERENCES meters,
  what    TEXT NOT NULL,             -- clock_set, erased
  detail  TEXT NOT NULL              -- JSON
) STRICT;
