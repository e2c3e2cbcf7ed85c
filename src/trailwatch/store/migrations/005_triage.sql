-- Until when a person wants to hear nothing of an alert; null for one that is not put off.
ALTER TABLE alerts ADD COLUMN snoozed INTEGER;
CREATE INDEX alerts_snoozed ON alerts (snoozed) WHERE snoozed IS NOT NULL;
ALTER TABLE alert_history ADD COLUMN snoozed INTEGER;

-- What suppressions hid, one row for each event and rule: told to nobody, listed to whoever asks.
CREATE TABLE suppressed (
    seq         INTEGER PRIMARY KEY,
    suppression TEXT NOT NULL,
    rule_id     TEXT NOT NULL,
    slug        TEXT NOT NULL,
    severity    TEXT NOT NULL,
    title       TEXT NOT NULL,
    alert_id    TEXT NOT NULL,
    time        INTEGER NOT NULL,
    account     TEXT NOT NULL,
    region      TEXT NOT NULL,
    event_id    TEXT NOT NULL,
    event_name  TEXT NOT NULL,
    principal   TEXT NOT NULL,
    actor       TEXT NOT NULL,
    source_ip   TEXT NOT NULL,
    stored      INTEGER NOT NULL,
    UNIQUE (alert_id, account, event_id)
) STRICT;
CREATE INDEX suppressed_by_name ON suppressed (suppression, seq);

-- How much each suppression hid since it was first seen, also of what was forgotten above.
CREATE TABLE suppression_total (
    suppression TEXT PRIMARY KEY,
    events      INTEGER NOT NULL,
    first       INTEGER NOT NULL,
    last        INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
