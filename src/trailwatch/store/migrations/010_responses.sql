-- What responses did; rows are added and never changed or removed.
CREATE TABLE response (
    plan    TEXT NOT NULL,
    number  INTEGER NOT NULL,           -- from 0 within a plan
    time    INTEGER NOT NULL,
    kind    TEXT NOT NULL,              -- model/response.py, EntryKind
    who     TEXT NOT NULL,
    step    INTEGER NOT NULL,           -- -1 for the plan as a whole
    content BLOB NOT NULL,              -- a JSON object
    UNIQUE (plan, number)
) STRICT;

CREATE INDEX response_begun ON response (time) WHERE number = 0;

-- What came of an identity, for revoking everything that was taken with it.
CREATE INDEX link_by_parent ON link (parent, time);
