"""`cloudtrail_logs` in DuckDB: CloudTrail's files under the column names of Athena's documented table.

Texts are VARCHAR, `readonly` too, as in Athena; requestparameters, responseelements, additionaleventdata and
serviceeventdetails are JSON. A field that a record does not have is NULL, and so is one that it has as null.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlglot import exp, parse_one

from trailwatch.translate.duckdb import TABLE

_LARGEST_OBJECT = 256 * 1024 * 1024

_SESSION = (
    "STRUCT(attributes STRUCT(mfaAuthenticated VARCHAR, creationDate VARCHAR), sessionIssuer STRUCT(type VARCHAR,"
    " principalId VARCHAR, arn VARCHAR, accountId VARCHAR, userName VARCHAR), ec2RoleDelivery VARCHAR,"
    " webIdFederationData STRUCT(federatedProvider VARCHAR, attributes MAP(VARCHAR, VARCHAR)))"
)
COLUMNS: dict[str, str] = {
    "eventVersion": "VARCHAR",
    "userIdentity": "STRUCT(type VARCHAR, principalId VARCHAR, arn VARCHAR, accountId VARCHAR, invokedBy VARCHAR,"
    " accessKeyId VARCHAR, userName VARCHAR, onBehalfOf STRUCT(userId VARCHAR, identityStoreArn VARCHAR),"
    f" sessionContext {_SESSION})",
    "eventTime": "VARCHAR",
    "eventSource": "VARCHAR",
    "eventName": "VARCHAR",
    "awsRegion": "VARCHAR",
    "sourceIPAddress": "VARCHAR",
    "userAgent": "VARCHAR",
    "errorCode": "VARCHAR",
    "errorMessage": "VARCHAR",
    "requestParameters": "JSON",
    "responseElements": "JSON",
    "additionalEventData": "JSON",
    "requestID": "VARCHAR",
    "eventID": "VARCHAR",
    "readOnly": "VARCHAR",
    "resources": "STRUCT(ARN VARCHAR, accountId VARCHAR, type VARCHAR)[]",
    "eventType": "VARCHAR",
    "apiVersion": "VARCHAR",
    "recipientAccountId": "VARCHAR",
    "serviceEventDetails": "JSON",
    "sharedEventID": "VARCHAR",
    "vpcEndpointId": "VARCHAR",
    "vpcEndpointAccountId": "VARCHAR",
    "eventCategory": "VARCHAR",
    "addendum": "STRUCT(reason VARCHAR, updatedFields VARCHAR, originalRequestID VARCHAR, originalEventID VARCHAR)",
    "sessionCredentialFromConsole": "VARCHAR",
    "edgeDeviceDetails": "JSON",
    "tlsDetails": "STRUCT(tlsVersion VARCHAR, cipherSuite VARCHAR, clientProvidedHostHeader VARCHAR)",
}
"""Field of the record to its DuckDB type; the column has the field's name in lower case."""


def view_sql(paths: Sequence[Path], *, materialized: bool = False) -> str:
    """The statement that makes `cloudtrail_logs` of CloudTrail files, `{"Records": [...]}` or one record a line.

    Args:
        paths: the files, gzip or plain.
        materialized: True for a table that is read once, False for a view that reads the files at every query.
    """
    files = exp.Array(expressions=[exp.Literal.string(str(path)) for path in paths])
    source = parse_one(
        "SELECT unnest(CASE WHEN json_exists(json, '$.Records') THEN json_extract(json, '$.Records[*]')"
        " ELSE list_value(json) END) AS record, filename"
        " FROM read_json_objects(files, format = 'auto', filename = true)",
        dialect="duckdb",
    ).transform(lambda node: files if isinstance(node, exp.Column) and node.name == "files" else node)
    columns = [exp.alias_(_converted(field, kind), field.lower()) for field, kind in COLUMNS.items()]
    select = exp.select(*columns, "filename").from_(source.subquery("records"))
    created = exp.Create(
        this=exp.to_table(TABLE), kind="TABLE" if materialized else "VIEW", replace=True, expression=select
    )
    return str(created.sql(dialect="duckdb", pretty=True, normalize_functions=False))


def create_view(connection: Any, paths: Sequence[Path], *, materialized: bool = False) -> None:
    """`cloudtrail_logs` in a DuckDB connection; see `view_sql`."""
    connection.execute(view_sql(paths, materialized=materialized))


def _converted(field: str, kind: str) -> Any:
    value = exp.column("record")
    path = exp.Literal.string(f"$.{field}")
    if kind == "VARCHAR":
        return exp.Anonymous(this="json_extract_string", expressions=[value, path])
    extracted = exp.Anonymous(this="json_extract", expressions=[value, path])
    if kind == "JSON":
        return exp.Anonymous(this="nullif", expressions=[extracted, exp.cast(exp.Literal.string("null"), "JSON")])
    return exp.Anonymous(this="json_transform", expressions=[extracted, exp.Literal.string(_structure(kind))])


def _structure(kind: str) -> str:
    """A struct type as the JSON that `json_transform` takes."""
    import json

    return json.dumps(_shape(exp.DataType.build(kind, dialect="duckdb")), separators=(",", ":"))


def _shape(kind: Any) -> Any:
    name = kind.this.value
    if name == "STRUCT":
        return {member.name: _shape(member.kind) for member in kind.expressions}
    if name in {"LIST", "ARRAY"}:
        return [_shape(kind.expressions[0])]
    return kind.sql(dialect="duckdb")
