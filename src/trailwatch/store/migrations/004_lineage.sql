-- The fact that one identity issued, made or became another; time is 0 where it holds at any time.
CREATE TABLE link (
    child      TEXT NOT NULL,
    kind       TEXT NOT NULL,
    parent     TEXT NOT NULL,
    time       INTEGER NOT NULL,
    event_id   TEXT NOT NULL,
    account    TEXT NOT NULL,
    child_text TEXT NOT NULL,
    added      INTEGER NOT NULL,
    PRIMARY KEY (child, kind, parent, time)
) STRICT, WITHOUT ROWID;
CREATE INDEX link_by_added ON link (added);

-- Over which identities the way back from one led when it was last asked for: a new link to one of them may lead
-- elsewhere.
CREATE TABLE lineage_path (
    node     TEXT NOT NULL,
    identity TEXT NOT NULL,
    used     INTEGER NOT NULL,
    PRIMARY KEY (node, identity)
) STRICT, WITHOUT ROWID;
CREATE INDEX lineage_path_by_use ON lineage_path (used);

-- From where the way back begins for the first event of an alert, what that record says of the caller, where the
-- way ended, and the incident that it belongs to.
ALTER TABLE alerts ADD COLUMN identity TEXT NOT NULL DEFAULT '';
ALTER TABLE alerts ADD COLUMN who TEXT NOT NULL DEFAULT '';
ALTER TABLE alerts ADD COLUMN actor_key TEXT NOT NULL DEFAULT '';
ALTER TABLE alerts ADD COLUMN incident TEXT NOT NULL DEFAULT '';
CREATE INDEX alerts_by_identity ON alerts (identity);
CREATE INDEX alerts_by_actor ON alerts (actor_key, first_time);
CREATE INDEX alerts_by_incident ON alerts (incident);
CREATE INDEX alerts_by_rule ON alerts (rule_id, last_time);

-- What an incident is follows from its alerts; here is only what does not.
CREATE TABLE incidents (
    id          TEXT PRIMARY KEY,
    created     INTEGER NOT NULL,
    merged_into TEXT REFERENCES incidents (id) ON DELETE SET NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX incidents_by_merger ON incidents (merged_into);

-- Signals whose key names the actor, by the identity that acted, for links that come late.
CREATE TABLE actor_signal (
    identity TEXT NOT NULL,
    time     INTEGER NOT NULL,
    ident    TEXT NOT NULL,         -- rules, event and value
    content  BLOB NOT NULL,
    PRIMARY KEY (identity, time, ident)
) STRICT, WITHOUT ROWID;
CREATE INDEX actor_signal_by_time ON actor_signal (time);
