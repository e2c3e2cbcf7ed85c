-- GuardDuty in each account and region, as it was when it was last asked; times are seconds since 1970.
CREATE TABLE finding_source (
    account TEXT NOT NULL,
    region  TEXT NOT NULL,
    state   TEXT NOT NULL CHECK (state IN ('on', 'suspended', 'off', 'absent', 'failed')),
    detail  TEXT NOT NULL,
    checked INTEGER NOT NULL,
    PRIMARY KEY (account, region)
) STRICT, WITHOUT ROWID;

-- Calls that are made to see whether they come back as events.
CREATE TABLE canary (
    marker     TEXT PRIMARY KEY,
    account    TEXT NOT NULL,
    region     TEXT NOT NULL,
    -- the key that signed it: nobody else's call with this marker is ours
    access_key TEXT NOT NULL,
    called     INTEGER NOT NULL,
    -- when its event was read; null while it is awaited
    returned   INTEGER,
    -- what went wrong with the call itself; empty where it was made
    failure    TEXT NOT NULL DEFAULT ''
) STRICT, WITHOUT ROWID;
CREATE INDEX canary_by_place ON canary (account, region, called);
CREATE INDEX canary_awaited ON canary (called) WHERE returned IS NULL AND failure = '';

-- Rules as they were known: one whose condition is new is on trial before it tells anybody.
CREATE TABLE rule_trial (
    rule_id   TEXT PRIMARY KEY,
    condition TEXT NOT NULL,    -- a digest
    slug      TEXT NOT NULL,
    since     INTEGER NOT NULL,
    live      INTEGER           -- null while it is on trial
) STRICT, WITHOUT ROWID;

-- 1 for an alert of a rule on trial, which nobody is told of.
ALTER TABLE alerts ADD COLUMN staged INTEGER NOT NULL DEFAULT 0;
CREATE INDEX alerts_staged ON alerts (rule_id) WHERE staged;

-- What cycles did, by day, for the digest.
CREATE TABLE cycle_day (
    day    INTEGER PRIMARY KEY,
    cycles INTEGER NOT NULL,
    good   INTEGER NOT NULL,
    events INTEGER NOT NULL
) STRICT;

-- Single facts by name, such as when the last digest was written.
CREATE TABLE fact (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
