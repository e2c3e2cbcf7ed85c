-- Correlations that ever kept signals, by how they keep them; all spans in seconds.
CREATE TABLE correlation (
    code          INTEGER PRIMARY KEY,
    rule_id       TEXT NOT NULL,
    slot          INTEGER NOT NULL,
    keep          INTEGER NOT NULL,
    -- what was before is forgotten
    pruned_before INTEGER NOT NULL DEFAULT 0,
    -- moments before this, less the time they take to settle, were judged
    judged        INTEGER NOT NULL DEFAULT 0,
    UNIQUE (rule_id, slot)
) STRICT;

-- The rules that signals come from.
CREATE TABLE signal_base (
    code    INTEGER PRIMARY KEY,
    rule_id TEXT NOT NULL UNIQUE
) STRICT;

-- Rows are appended in the order in which signals come.
CREATE TABLE signal (
    seq         INTEGER PRIMARY KEY,
    correlation INTEGER NOT NULL,
    slot        INTEGER NOT NULL,       -- event time divided by the correlation's slot
    grp         INTEGER NOT NULL,       -- stands for the key
    time        INTEGER NOT NULL,
    id          INTEGER NOT NULL,       -- stands for the event
    base        INTEGER NOT NULL,
    value       TEXT NOT NULL,
    content     BLOB NOT NULL
) STRICT;

-- The slot stands before the group: what comes now goes to few pages however many rows there are, and what is too
-- old leaves in one range. Counting reads this alone.
CREATE UNIQUE INDEX signal_by_group ON signal (correlation, slot, grp, time, id, base, value);

-- Moments of correlations that cannot be judged before nothing more can arrive.
CREATE TABLE signal_due (
    due         INTEGER NOT NULL,
    correlation INTEGER NOT NULL,
    grp         INTEGER NOT NULL,
    time        INTEGER NOT NULL,
    PRIMARY KEY (due, correlation, grp, time)
) STRICT, WITHOUT ROWID;
