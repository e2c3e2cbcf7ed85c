-- Calls of responses that AWS answered, so that their events are known when they come back.
CREATE TABLE response_call (
    request   TEXT PRIMARY KEY,         -- AWS's id of the request; the event has it as requestID
    account   TEXT NOT NULL,
    service   TEXT NOT NULL,            -- as boto3 names it
    operation TEXT NOT NULL,
    caller    TEXT NOT NULL,            -- ARN of who made it; of a role the role's own
    called    INTEGER NOT NULL,
    returned  INTEGER                   -- when its event was read; NULL for not yet
) STRICT, WITHOUT ROWID;

CREATE INDEX response_call_awaited ON response_call (called) WHERE returned IS NULL;
