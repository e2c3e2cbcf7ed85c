CREATE TABLE coverage (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    lookup TEXT NOT NULL,
    start_time INTEGER NOT NULL,
    end_time INTEGER NOT NULL,
    PRIMARY KEY (account, region, lookup, start_time),
    CHECK (start_time < end_time)
) STRICT, WITHOUT ROWID;

CREATE TABLE lookup (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    lookup TEXT NOT NULL,
    -- what lies before is history from before the first run, and no gap
    since INTEGER NOT NULL,
    asked INTEGER NOT NULL DEFAULT 0,
    -- NULL until it was measured
    events_per_second REAL,
    sweep_cursor INTEGER NOT NULL DEFAULT 0,
    swept INTEGER NOT NULL DEFAULT 0,
    -- how long the next slice of a gap may be; 0 for as long as it likes
    slice_seconds INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (account, region, lookup)
) STRICT, WITHOUT ROWID;

-- look-ups that are made once: what role sessions that matched a rule did, and who began them
CREATE TABLE session_lookup (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    lookup TEXT NOT NULL,
    matched INTEGER NOT NULL,
    asked INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (account, region, lookup)
) STRICT, WITHOUT ROWID;

-- when each account and region was last called: the next run is another process
CREATE TABLE pace (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    called REAL NOT NULL,
    PRIMARY KEY (account, region)
) STRICT, WITHOUT ROWID;

CREATE TABLE cycle (
    id INTEGER PRIMARY KEY,
    started REAL NOT NULL,
    finished REAL,
    process INTEGER NOT NULL,
    outcome TEXT NOT NULL CHECK (outcome IN ('running', 'good', 'partial', 'failed', 'killed', 'stopped')),
    summary TEXT NOT NULL DEFAULT ''
) STRICT;

CREATE TABLE caller (
    key_hash TEXT PRIMARY KEY,
    account TEXT NOT NULL,
    fetched INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE region_list (
    account TEXT PRIMARY KEY,
    names TEXT NOT NULL,
    fetched INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- regions that cannot be read now
CREATE TABLE trouble (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    kind TEXT NOT NULL,
    what TEXT NOT NULL,
    since INTEGER NOT NULL,
    -- 0 until it was told
    told INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (account, region)
) STRICT, WITHOUT ROWID;
