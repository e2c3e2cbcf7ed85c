-- What a message is for, and every conversation that it touches: messages of one conversation leave in their order.
ALTER TABLE messages ADD COLUMN kind TEXT NOT NULL DEFAULT 'alert';
ALTER TABLE messages ADD COLUMN plan TEXT NOT NULL DEFAULT '';  -- what it asks approval for
CREATE TABLE message_threads (
    message_id TEXT NOT NULL REFERENCES messages (id) ON DELETE CASCADE,
    thread     TEXT NOT NULL,
    PRIMARY KEY (message_id, thread)
) STRICT, WITHOUT ROWID;
CREATE INDEX message_threads_by_thread ON message_threads (thread);
INSERT INTO message_threads (message_id, thread) SELECT id, principal FROM messages;

-- The conversation that it goes into, and by what the receiver finds it there again.
ALTER TABLE outbox ADD COLUMN thread TEXT NOT NULL DEFAULT '';
ALTER TABLE outbox ADD COLUMN handle TEXT NOT NULL DEFAULT '';
UPDATE outbox SET thread = principal;
CREATE INDEX outbox_by_thread ON outbox (thread, notifier, id);
CREATE INDEX outbox_by_handle ON outbox (notifier, handle) WHERE handle <> '';

-- How many events an alert had when it was last told.
ALTER TABLE alerts ADD COLUMN told_events INTEGER NOT NULL DEFAULT 0;
UPDATE alerts SET told_events = event_count;
CREATE INDEX alerts_grown ON alerts (incident) WHERE told IS NOT NULL AND event_count > told_events;

-- What is to be told through which notifier, and not before when.
CREATE TABLE telling (
    notifier TEXT NOT NULL,
    alert_id TEXT NOT NULL REFERENCES alerts (id) ON DELETE CASCADE,
    due      INTEGER NOT NULL,
    digest   TEXT NOT NULL CHECK (digest IN ('', 'hourly', 'daily')),
    known    INTEGER NOT NULL,      -- events that were told before; 0 for a new alert
    PRIMARY KEY (notifier, alert_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX telling_by_alert ON telling (alert_id);

-- Incidents that became part of another, and of which that was told.
CREATE TABLE pointed (
    incident TEXT PRIMARY KEY,
    at       INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO pointed (incident, at) SELECT id, created FROM incidents WHERE merged_into IS NOT NULL;

-- Notifiers that do not deliver.
CREATE TABLE notifier_trouble (
    notifier TEXT PRIMARY KEY,
    since    INTEGER,               -- null while it delivers
    what     TEXT NOT NULL,
    told     INTEGER,               -- when people heard of it last
    hold     INTEGER NOT NULL DEFAULT 0  -- until when it wants to be left alone
) STRICT, WITHOUT ROWID;

-- What people said to messages in the channels that hear them.
CREATE TABLE replies (
    id       INTEGER PRIMARY KEY,
    notifier TEXT NOT NULL,
    handle   TEXT NOT NULL,
    who      TEXT NOT NULL,
    verb     TEXT NOT NULL CHECK (verb IN ('ack', 'approve', 'decline')),
    incident TEXT NOT NULL,
    plan     TEXT NOT NULL,
    at       INTEGER NOT NULL,
    heard    INTEGER NOT NULL,
    UNIQUE (notifier, handle, who, verb)
) STRICT;
CREATE INDEX replies_by_plan ON replies (plan);
