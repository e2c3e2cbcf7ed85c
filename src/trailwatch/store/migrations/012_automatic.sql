-- Responding without a person; times are seconds since 1970.

-- Up to which number of events an alert was considered.
CREATE TABLE automatic_considered (
    alert_id TEXT PRIMARY KEY REFERENCES alerts (id) ON DELETE CASCADE,
    events   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- One row for each target about which something is or was to be done.
CREATE TABLE automatic_case (
    id      TEXT PRIMARY KEY,
    state   TEXT NOT NULL,
    changed INTEGER NOT NULL,
    version INTEGER NOT NULL,
    body    BLOB NOT NULL   -- the case as JSON
) STRICT, WITHOUT ROWID;
CREATE INDEX automatic_case_open ON automatic_case (changed) WHERE state IN ('waiting', 'approved', 'begun');

-- What counts against the caps.
CREATE TABLE automatic_taken (
    plan TEXT PRIMARY KEY,
    time INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX automatic_taken_by_time ON automatic_taken (time);
