"""One DynamoDB table with the keys `pk` and `sk`: items of text, numbers and bytes, written under conditions.

The table needs `pk` (S) as partition key, `sk` (S) as sort key, and `expires` as its time-to-live attribute.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trailwatch.errors import StoreError

PERMISSIONS = ("dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query", "dynamodb:UpdateItem")
"""Every IAM action on the table that a function needs; whoever ends a freeze needs dynamodb:DeleteItem besides."""
Value = str | int | bytes
Item = dict[str, Value]
_REFUSED = "ConditionalCheckFailedException"


class Table:
    """The table.

    Args:
        client: a DynamoDB client.
        name: the table's name or ARN.
    """

    def __init__(self, client: Any, name: str) -> None:
        self._client = client
        self.name = name

    def get(self, pk: str, sk: str) -> Item | None:
        """The item, read consistently; None for no such item.

        Raises:
            StoreError: the table cannot be read or written; likewise from all that follow.
        """
        answer = self._ask("get_item", Key=_key(pk, sk), ConsistentRead=True)
        return _plain(answer["Item"]) if "Item" in answer else None

    def put(self, pk: str, sk: str, item: Mapping[str, Value], *, version: int | None = None) -> bool:
        """Writes the item whole; False, with nothing written, where the condition does not hold.

        Args:
            pk: partition key.
            sk: sort key.
            item: everything else.
            version: the value that the item's `version` must have; 0 where there must be none yet, None for no
                condition.
        """
        request: dict[str, Any] = {"Item": {**_typed(item), **_key(pk, sk)}}
        if version == 0:
            request["ConditionExpression"] = "attribute_not_exists(pk)"
        elif version is not None:
            request["ConditionExpression"] = "version = :version"
            request["ExpressionAttributeValues"] = _typed({":version": version})
        return self._ask("put_item", **request) is not _NOTHING

    def update(
        self, pk: str, sk: str, change: str, condition: str, names: Mapping[str, str], values: Mapping[str, Value]
    ) -> tuple[bool, Item]:
        """Changes an item under a condition: whether it held, and the item after it, or as it is where it did not.

        Args:
            pk: partition key.
            sk: sort key.
            change: an update expression.
            condition: a condition expression; empty for none.
            names: placeholders of attribute names, such as `#state`.
            values: placeholders of values, such as `:now`.
        """
        request: dict[str, Any] = {
            "Key": _key(pk, sk),
            "UpdateExpression": change,
            "ExpressionAttributeValues": _typed(values),
            "ReturnValues": "ALL_NEW",
        }
        if names:
            request["ExpressionAttributeNames"] = dict(names)
        if condition:
            request["ConditionExpression"] = condition
        answer = self._ask("update_item", **request)
        if answer is _NOTHING:
            return False, self.get(pk, sk) or {}
        return True, _plain(answer["Attributes"])

    def remove(self, pk: str, sk: str) -> None:
        self._ask("delete_item", Key=_key(pk, sk))

    def all(self, pk: str) -> list[Item]:
        """Every item of a partition by sort key, read consistently."""
        found: list[Item] = []
        more: dict[str, Any] = {}
        while True:
            answer = self._ask(
                "query",
                KeyConditionExpression="pk = :pk",
                ExpressionAttributeValues=_typed({":pk": pk}),
                ConsistentRead=True,
                **more,
            )
            found += [_plain(item) for item in answer["Items"]]
            if "LastEvaluatedKey" not in answer:
                return found
            more = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}

    def _ask(self, operation: str, **request: Any) -> Mapping[str, Any]:
        """The answer; `_NOTHING` where a condition did not hold."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            answer: Mapping[str, Any] = getattr(self._client, operation)(TableName=self.name, **request)
        except (BotoCoreError, ClientError) as error:
            if isinstance(error, ClientError) and error.response["Error"]["Code"] == _REFUSED:
                return _NOTHING
            raise StoreError(
                f"table {self.name}",
                f"{operation}: {error}",
                "check that it exists in this region and that the role may use it",
            ) from error
        return answer


_NOTHING: Mapping[str, Any] = {}


def _key(pk: str, sk: str) -> dict[str, Any]:
    return _typed({"pk": pk, "sk": sk})


def _typed(values: Mapping[str, Value]) -> dict[str, Any]:
    return {name: _attribute(value) for name, value in values.items()}


def _attribute(value: Value) -> dict[str, Any]:
    if isinstance(value, str):
        return {"S": value}
    return {"N": str(value)} if isinstance(value, int) else {"B": value}


def _plain(item: Mapping[str, Mapping[str, Any]]) -> Item:
    return {name: _value(attribute) for name, attribute in item.items()}


def _value(attribute: Mapping[str, Any]) -> Value:
    kind, value = next(iter(attribute.items()))
    return int(value) if kind == "N" else value
