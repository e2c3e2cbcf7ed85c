-- What the pipeline and the relay keep. Times are whole seconds since 1970, UTC. Enumerated columns hold the
-- values of the enums in trailwatch.model and trailwatch.store as text.

-- One row for each alert. Everything but state, verdict, note, created, changed and told is a pure function of
-- the set of its events.
CREATE TABLE alerts (
    id          TEXT PRIMARY KEY,
    rule_id     TEXT NOT NULL,
    slug        TEXT NOT NULL,
    severity    TEXT NOT NULL CHECK (severity IN ('informational', 'low', 'medium', 'high', 'critical')),
    rule        TEXT NOT NULL,      -- RuleInfo as JSON
    title       TEXT NOT NULL,
    principal   TEXT NOT NULL,
    actor       TEXT NOT NULL,
    account     TEXT NOT NULL,
    region      TEXT NOT NULL,
    first_time  INTEGER NOT NULL,
    last_time   INTEGER NOT NULL,
    event_count INTEGER NOT NULL,
    context     TEXT NOT NULL,      -- JSON object of texts
    state       TEXT NOT NULL CHECK (state IN ('open', 'acked', 'closed')),
    verdict     TEXT CHECK (verdict IN ('true-positive', 'false-positive')),
    note        TEXT NOT NULL,
    created     INTEGER NOT NULL,   -- when it was stored
    changed     INTEGER NOT NULL,   -- when it last grew or was handled
    told        INTEGER             -- when it went to the outbox; null while that is to be done
);
CREATE INDEX alerts_untold ON alerts (principal) WHERE told IS NULL;
CREATE INDEX alerts_by_time ON alerts (last_time);
CREATE INDEX alerts_by_change ON alerts (changed);

-- Every event of every alert, so that one that comes again is not counted again.
CREATE TABLE alert_events (
    alert_id TEXT NOT NULL REFERENCES alerts (id) ON DELETE CASCADE,
    account  TEXT NOT NULL,
    event_id TEXT NOT NULL,
    time     INTEGER NOT NULL,
    PRIMARY KEY (alert_id, account, event_id)
) WITHOUT ROWID;

-- The first events of an alert with what people need of them.
CREATE TABLE alert_evidence (
    alert_id     TEXT NOT NULL REFERENCES alerts (id) ON DELETE CASCADE,
    time         INTEGER NOT NULL,
    event_id     TEXT NOT NULL,
    account      TEXT NOT NULL,
    event_name   TEXT NOT NULL,
    event_source TEXT NOT NULL,
    region       TEXT NOT NULL,
    source_ip    TEXT NOT NULL,
    user_agent   TEXT NOT NULL,
    error_code   TEXT NOT NULL,
    reason       TEXT NOT NULL,
    record       BLOB NOT NULL,
    UNIQUE (alert_id, account, event_id)
);

-- What people did with an alert.
CREATE TABLE alert_history (
    id       INTEGER PRIMARY KEY,
    alert_id TEXT NOT NULL REFERENCES alerts (id) ON DELETE CASCADE,
    at       INTEGER NOT NULL,
    state    TEXT NOT NULL CHECK (state IN ('open', 'acked', 'closed')),
    verdict  TEXT CHECK (verdict IN ('true-positive', 'false-positive')),
    note     TEXT NOT NULL
);
CREATE INDEX alert_history_by_alert ON alert_history (alert_id);

-- Events that were read, so that overlapping look-ups are harmless. The time comes first: new rows go to the end
-- of the tree, and old ones leave in one range.
CREATE TABLE seen (
    time INTEGER NOT NULL,          -- event time
    key  BLOB NOT NULL,             -- digest over (account, event id)
    PRIMARY KEY (time, key)
) WITHOUT ROWID;

CREATE TABLE rejects (
    id       INTEGER PRIMARY KEY,
    digest   BLOB NOT NULL UNIQUE,  -- over the body, so that one that is read again is the same
    origin   TEXT NOT NULL,
    position INTEGER NOT NULL,
    reason   TEXT NOT NULL,
    body     BLOB NOT NULL,
    first    INTEGER NOT NULL,
    last     INTEGER NOT NULL,
    times    INTEGER NOT NULL
);
CREATE INDEX rejects_by_last ON rejects (last);

CREATE TABLE rule_failures (
    id       INTEGER PRIMARY KEY,
    rule_id  TEXT NOT NULL,
    event_id TEXT NOT NULL,
    origin   TEXT NOT NULL,
    error    TEXT NOT NULL,
    first    INTEGER NOT NULL,
    last     INTEGER NOT NULL,
    times    INTEGER NOT NULL,
    UNIQUE (rule_id, event_id)
);
CREATE INDEX rule_failures_by_last ON rule_failures (last);

-- A message, frozen when it was decided, so that every attempt says the same.
CREATE TABLE messages (
    id        TEXT PRIMARY KEY,     -- the Message-ID is made of it
    created   INTEGER NOT NULL,
    principal TEXT NOT NULL,
    severity  TEXT NOT NULL CHECK (severity IN ('informational', 'low', 'medium', 'high', 'critical')),
    body      BLOB NOT NULL         -- Message as JSON
);
CREATE INDEX messages_by_created ON messages (created);

CREATE TABLE message_alerts (
    message_id TEXT NOT NULL REFERENCES messages (id) ON DELETE CASCADE,
    alert_id   TEXT NOT NULL,
    PRIMARY KEY (message_id, alert_id)
) WITHOUT ROWID;
CREATE INDEX message_alerts_by_alert ON message_alerts (alert_id);

-- The intent to send one message through one notifier; by id is the order in which it was decided.
CREATE TABLE outbox (
    id         INTEGER PRIMARY KEY,
    message_id TEXT NOT NULL REFERENCES messages (id) ON DELETE CASCADE,
    notifier   TEXT NOT NULL,
    principal  TEXT NOT NULL,
    state      TEXT NOT NULL CHECK (state IN ('waiting', 'sending', 'sent', 'dead')),
    attempts   INTEGER NOT NULL,
    created    INTEGER NOT NULL,
    due        INTEGER NOT NULL,    -- not before this
    ended      INTEGER,             -- when it was sent or given up
    UNIQUE (message_id, notifier)
);
CREATE INDEX outbox_open ON outbox (notifier, principal, id) WHERE state IN ('waiting', 'sending');
CREATE INDEX outbox_by_state ON outbox (state);

CREATE TABLE attempts (
    id        INTEGER PRIMARY KEY,
    outbox_id INTEGER NOT NULL REFERENCES outbox (id) ON DELETE CASCADE,
    started   INTEGER NOT NULL,
    ended     INTEGER,              -- null while it is under way
    outcome   TEXT NOT NULL CHECK (outcome IN ('under-way', 'accepted', 'failed', 'refused', 'interrupted')),
    detail    TEXT NOT NULL         -- what the receiver answered, or the error
);
CREATE INDEX attempts_by_outbox ON attempts (outbox_id);
