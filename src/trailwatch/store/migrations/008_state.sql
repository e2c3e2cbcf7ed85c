-- Which event an alert speaks of: of a correlation the one that completed it. The lesser (head_time, head) counts.
ALTER TABLE alerts ADD COLUMN head_time INTEGER NOT NULL DEFAULT 0;
ALTER TABLE alerts ADD COLUMN head TEXT NOT NULL DEFAULT '';
UPDATE alerts SET (head_time, head) = (
    SELECT time, printf('%04d %s %s', 0, event_id, account) FROM alert_evidence WHERE alert_id = alerts.id
    ORDER BY time, event_id, account LIMIT 1)
WHERE id IN (SELECT alert_id FROM alert_evidence);

-- Under whom a signal that names the actor was counted last; empty where that is not known.
ALTER TABLE actor_signal ADD COLUMN actor TEXT NOT NULL DEFAULT '';

-- Until when nobody wants to hear of what joins an incident, unless it is worse than what it had then.
ALTER TABLE incidents ADD COLUMN snoozed INTEGER;
ALTER TABLE incidents ADD COLUMN snoozed_severity TEXT NOT NULL DEFAULT '';

-- From when on what a look-up shows of an account is known; '*' shows everything.
ALTER TABLE learned RENAME TO learned_before;
CREATE TABLE learned (
    account TEXT NOT NULL,
    lookup  TEXT NOT NULL,
    since   INTEGER NOT NULL,
    PRIMARY KEY (account, lookup)
) STRICT, WITHOUT ROWID;
INSERT INTO learned SELECT account, 'ReadOnly=false', since FROM learned_before;
DROP TABLE learned_before;
