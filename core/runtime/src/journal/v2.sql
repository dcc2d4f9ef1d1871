-- Version 2. What is released is never changed: a later version is a step of its own.
-- From here on `wants` of a sink may be `revised` too.

-- What decides which readings of a meter come to a sink, and as what: SHA-256 of the transforms above it and
-- of what they go by. It begins with `renamed:` where they give readings other ids.
ALTER TABLE feeds ADD COLUMN way TEXT;

-- What the transforms above a sink leave out, until there is another way.
CREATE TABLE left_out (
  sink    INTEGER NOT NULL REFERENCES sinks,
  reading INTEGER NOT NULL REFERENCES readings,
  PRIMARY KEY (sink, reading)
) STRICT, WITHOUT ROWID;
CREATE INDEX left_out_of_reading ON left_out (reading);
