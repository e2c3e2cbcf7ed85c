-- What rules with a memory have seen; one row for each rule and account.
CREATE TABLE memory (
    code    INTEGER PRIMARY KEY,
    rule_id TEXT NOT NULL,
    account TEXT NOT NULL,
    -- whether it still matters when it was not seen for long
    lasting INTEGER NOT NULL,
    UNIQUE (rule_id, account)
) STRICT;

-- One combination of values; its days as in model/sighting.py.
CREATE TABLE sighting (
    number INTEGER PRIMARY KEY,         -- stands for the rule, the account and the values
    memory INTEGER NOT NULL,
    first  INTEGER NOT NULL,
    last   INTEGER NOT NULL,
    days   INTEGER NOT NULL,
    "values" TEXT NOT NULL              -- as a JSON array
) STRICT;

CREATE INDEX sighting_by_age ON sighting (memory, last);

-- From when on an account's history is known, in seconds since 1970.
CREATE TABLE learned (
    account TEXT PRIMARY KEY,
    since   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Who was where, for rules about travel.
CREATE TABLE stay (
    number    INTEGER NOT NULL,         -- stands for the rule, the account and who it was
    time      INTEGER NOT NULL,
    latitude  REAL NOT NULL,
    longitude REAL NOT NULL,
    content   BLOB NOT NULL,
    PRIMARY KEY (number, time, latitude, longitude)
) STRICT, WITHOUT ROWID;

CREATE INDEX stay_by_age ON stay (time);
