"""The table of record fields: what type each has, which spellings it can have, and its column in Athena's table.

The columns are those of the documented Athena table for CloudTrail; a path without one has none there.
Source: https://docs.aws.amazon.com/athena/latest/ug/create-cloudtrail-table.html
"""

from __future__ import annotations

import enum
from typing import NamedTuple

from trailwatch.model.fieldpath import parse_path
from trailwatch.rules.api_names import api_names
from trailwatch.rules.predicate import Op
from trailwatch.rules.record_fields import VALUES


class Kind(enum.Enum):
    TEXT = "text"
    BOOLEAN = "boolean"
    JSON = "json"
    """An object of any shape, kept as JSON text in the table."""


class Spelling(enum.Enum):
    """Which case AWS writes a field's values in."""

    ANY = "any"
    """Chosen by callers: case must be ignored."""
    LOWER = "lower"
    """Always lower case."""
    LISTED = "listed"
    """One of `FieldRow.values`."""
    EVENT_NAME = "event name"
    """As in the table of event names."""
    AS_WRITTEN = "as written"
    """One spelling for each value; a rule that names one is taken to spell it right."""


class FieldRow(NamedTuple):
    """One field of a record."""

    path: str
    kind: Kind = Kind.TEXT
    column: tuple[str, ...] = ()
    """Column and members of its struct in the Athena table; empty where the table has none."""
    spelling: Spelling = Spelling.ANY
    values: tuple[str, ...] = ()
    always: bool = False
    """True for a field that every record has."""
    nullable: bool = False
    """True for a field that CloudTrail writes as null; it leaves the others out instead."""
    lists: bool = False
    """True where a list of objects stands on the way."""


_ISSUER = ("useridentity", "sessioncontext", "sessionissuer")
_SESSION = "userIdentity.sessionContext"

ROWS: tuple[FieldRow, ...] = (
    FieldRow("eventVersion", column=("eventversion",), always=True),
    FieldRow("eventTime", column=("eventtime",), always=True),
    FieldRow("eventSource", column=("eventsource",), spelling=Spelling.LOWER, always=True),
    FieldRow("eventName", column=("eventname",), spelling=Spelling.EVENT_NAME, always=True),
    FieldRow("awsRegion", column=("awsregion",), spelling=Spelling.LOWER, always=True),
    FieldRow("sourceIPAddress", column=("sourceipaddress",)),
    FieldRow("userAgent", column=("useragent",)),
    FieldRow("errorCode", column=("errorcode",), spelling=Spelling.AS_WRITTEN),
    FieldRow("errorMessage", column=("errormessage",)),
    FieldRow("requestID", column=("requestid",)),
    FieldRow("eventID", column=("eventid",)),
    FieldRow("readOnly", Kind.BOOLEAN, column=("readonly",)),
    FieldRow("managementEvent", Kind.BOOLEAN),
    FieldRow("eventType", column=("eventtype",), spelling=Spelling.LISTED, values=VALUES["eventType"]),
    FieldRow(
        "eventCategory",
        column=("eventcategory",),
        spelling=Spelling.LISTED,
        values=VALUES["eventCategory"],
    ),
    FieldRow("apiVersion", column=("apiversion",)),
    FieldRow("recipientAccountId", column=("recipientaccountid",)),
    FieldRow("sharedEventID", column=("sharedeventid",)),
    FieldRow("vpcEndpointId", column=("vpcendpointid",)),
    FieldRow("vpcEndpointAccountId", column=("vpcendpointaccountid",)),
    FieldRow("sessionCredentialFromConsole", column=("sessioncredentialfromconsole",), spelling=Spelling.LOWER),
    FieldRow("edgeDeviceDetails", Kind.JSON, column=("edgedevicedetails",)),
    FieldRow("requestParameters", Kind.JSON, column=("requestparameters",), nullable=True),
    FieldRow("responseElements", Kind.JSON, column=("responseelements",), nullable=True),
    FieldRow("additionalEventData", Kind.JSON, column=("additionaleventdata",)),
    FieldRow("serviceEventDetails", Kind.JSON, column=("serviceeventdetails",)),
    FieldRow("resources.ARN", column=("resources", "arn"), lists=True),
    FieldRow("resources.accountId", column=("resources", "accountid"), lists=True),
    FieldRow("resources.type", column=("resources", "type"), lists=True),
    FieldRow(
        "userIdentity.type",
        column=("useridentity", "type"),
        spelling=Spelling.LISTED,
        values=VALUES["userIdentity.type"],
    ),
    FieldRow("userIdentity.principalId", column=("useridentity", "principalid")),
    FieldRow("userIdentity.arn", column=("useridentity", "arn")),
    FieldRow("userIdentity.accountId", column=("useridentity", "accountid")),
    FieldRow("userIdentity.invokedBy", column=("useridentity", "invokedby")),
    FieldRow("userIdentity.accessKeyId", column=("useridentity", "accesskeyid")),
    FieldRow("userIdentity.userName", column=("useridentity", "username")),
    FieldRow("userIdentity.identityProvider"),
    FieldRow("userIdentity.credentialId"),
    FieldRow("userIdentity.inScopeOf.sourceArn"),
    FieldRow("userIdentity.inScopeOf.sourceAccount"),
    FieldRow("userIdentity.inScopeOf.issuerType"),
    FieldRow("userIdentity.inScopeOf.credentialsIssuedTo"),
    FieldRow("userIdentity.onBehalfOf.userId", column=("useridentity", "onbehalfof", "userid")),
    FieldRow("userIdentity.onBehalfOf.identityStoreArn", column=("useridentity", "onbehalfof", "identitystorearn")),
    FieldRow(
        f"{_SESSION}.attributes.mfaAuthenticated",
        column=("useridentity", "sessioncontext", "attributes", "mfaauthenticated"),
        spelling=Spelling.LOWER,
    ),
    FieldRow(
        f"{_SESSION}.attributes.creationDate", column=("useridentity", "sessioncontext", "attributes", "creationdate")
    ),
    FieldRow(
        f"{_SESSION}.sessionIssuer.type",
        column=(*_ISSUER, "type"),
        spelling=Spelling.LISTED,
        values=VALUES["userIdentity.type"],
    ),
    FieldRow(f"{_SESSION}.sessionIssuer.principalId", column=(*_ISSUER, "principalid")),
    FieldRow(f"{_SESSION}.sessionIssuer.arn", column=(*_ISSUER, "arn")),
    FieldRow(f"{_SESSION}.sessionIssuer.accountId", column=(*_ISSUER, "accountid")),
    FieldRow(f"{_SESSION}.sessionIssuer.userName", column=(*_ISSUER, "username")),
    FieldRow(f"{_SESSION}.ec2RoleDelivery", column=("useridentity", "sessioncontext", "ec2roledelivery")),
    FieldRow(f"{_SESSION}.sourceIdentity"),
    FieldRow(f"{_SESSION}.assumedRoot"),
    FieldRow(
        f"{_SESSION}.webIdFederationData.federatedProvider",
        column=("useridentity", "sessioncontext", "webidfederationdata", "federatedprovider"),
    ),
    FieldRow("addendum.reason", column=("addendum", "reason")),
    FieldRow("addendum.updatedFields", column=("addendum", "updatedfields")),
    FieldRow("addendum.originalRequestID", column=("addendum", "originalrequestid")),
    FieldRow("addendum.originalEventID", column=("addendum", "originaleventid")),
    FieldRow("tlsDetails.tlsVersion", column=("tlsdetails", "tlsversion")),
    FieldRow("tlsDetails.cipherSuite", column=("tlsdetails", "ciphersuite")),
    FieldRow("tlsDetails.clientProvidedHostHeader", column=("tlsdetails", "clientprovidedhostheader")),
    FieldRow("additionalEventData.MFAUsed", spelling=Spelling.LISTED, values=("Yes", "No")),
    FieldRow("additionalEventData.LoginTo"),
    FieldRow("additionalEventData.MobileVersion", spelling=Spelling.LISTED, values=("Yes", "No")),
    FieldRow("additionalEventData.SwitchFrom"),
    FieldRow("additionalEventData.RedirectTo"),
    FieldRow("responseElements.ConsoleLogin", spelling=Spelling.LISTED, values=("Success", "Failure")),
    FieldRow("responseElements.CheckMfa", spelling=Spelling.LISTED, values=("Success", "Failure")),
    FieldRow("responseElements.SwitchRole", spelling=Spelling.LISTED, values=("Success", "Failure")),
    FieldRow("responseElements.PasswordUpdated", spelling=Spelling.LISTED, values=("Success", "Failure")),
)
BY_PATH = {row.path: row for row in ROWS}


def column_row(path: str) -> FieldRow | None:
    """The row whose column holds the values at `path`: the path's own, or that of the JSON column above it."""
    row = BY_PATH.get(path)
    if row is not None and row.column:
        return row
    segments = parse_path(path)
    top = BY_PATH.get(str(segments[0])) if segments and isinstance(segments[0], str) else None
    return top if top is not None and top.kind is Kind.JSON and top.column else None


def scalar_row(path: str) -> FieldRow | None:
    """The row of a path that holds one text, number or boolean at most, with no list on the way; None where unsure.

    Besides the table's own rows these are the request parameters that every AWS API takes as a scalar.
    """
    row = BY_PATH.get(path)
    if row is not None:
        return None if row.lists or row.kind is Kind.JSON else row
    segments = parse_path(path)
    if len(segments) != 2 or segments[0] != "requestParameters":  # noqa: PLR2004 requestParameters and one name
        return None
    kind = api_names().scalars.get(str(segments[1]))
    return FieldRow(path, Kind.BOOLEAN if kind == "b" else Kind.TEXT) if kind else None


def spelled(row: FieldRow, op: Op, value: str) -> tuple[str, ...] | None:
    """Every way AWS can spell a text that a rule gives without case; None where only ignoring case is exact.

    `op` is EQ for whole texts, and STARTSWITH, ENDSWITH, CONTAINS or LIKE for parts of one.
    """
    if not any(character.isalpha() for character in value):
        return (value,)
    if row.spelling is Spelling.LOWER:
        return (value.lower(),)
    if op is Op.EQ:
        return _spelled_whole(row, value)
    starts = row.spelling is Spelling.EVENT_NAME and op is Op.STARTSWITH and _one_start(value)
    return (value,) if starts else None


def _spelled_whole(row: FieldRow, value: str) -> tuple[str, ...] | None:
    if row.spelling is Spelling.AS_WRITTEN and value[0].isupper():
        return (value,)
    if row.spelling is Spelling.LISTED:
        return tuple(known for known in row.values if known.lower() == value.lower()) or None
    if row.spelling is Spelling.EVENT_NAME:
        return api_names().spellings(value) or None
    return None


def _one_start(prefix: str) -> bool:
    """Whether every known event name that starts so without case starts so with case too."""
    starts = {
        name[: len(prefix)]
        for known in api_names().names.values()
        for name in known
        if name[: len(prefix)].lower() == prefix.lower()
    }
    return starts == {prefix}
