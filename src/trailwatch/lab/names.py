"""What CloudTrail calls an API call: event source, event name, region, readOnly; and what it leaves out."""

from __future__ import annotations

from trailwatch.lab.call import Call, is_object_call

GLOBAL_REGION = "us-east-1"
_GLOBAL = {"iam", "organizations", "cloudfront", "route53", "route53domains", "support", "ce", "shield", "health"}
_SOURCE = {"email": "ses", "cloudwatch": "monitoring", "events": "events"}

_LAMBDA_SUFFIX = {
    "20150331": """CreateFunction DeleteFunction ListFunctions CreateEventSourceMapping UpdateEventSourceMapping
        DeleteEventSourceMapping GetEventSourceMapping ListEventSourceMappings PublishVersion CreateAlias UpdateAlias
        DeleteAlias GetAlias ListAliases ListVersionsByFunction""",
    "20150331v2": """UpdateFunctionCode UpdateFunctionConfiguration AddPermission RemovePermission GetFunction
        GetFunctionConfiguration GetPolicy""",
    "20181031": """PublishLayerVersion DeleteLayerVersion GetLayerVersion GetLayerVersionPolicy ListLayers
        ListLayerVersions AddLayerVersionPermission RemoveLayerVersionPermission""",
    "20170331v2": "TagResource UntagResource",
    "20170331": "ListTags",
    "20171031": "PutFunctionConcurrency DeleteFunctionConcurrency",
    "20160819": "GetAccountSettings",
}
_LAMBDA_NAMES = {name: name + suffix for suffix, names in _LAMBDA_SUFFIX.items() for name in names.split()}
_S3_NAMES = {
    "PutPublicAccessBlock": "PutBucketPublicAccessBlock",
    "GetPublicAccessBlock": "GetBucketPublicAccessBlock",
    "DeletePublicAccessBlock": "DeleteBucketPublicAccessBlock",
    "PutBucketLifecycleConfiguration": "PutBucketLifecycle",
    "GetBucketLifecycleConfiguration": "GetBucketLifecycle",
    "PutBucketNotificationConfiguration": "PutBucketNotification",
    "GetBucketNotificationConfiguration": "GetBucketNotification",
    "PutObjectLockConfiguration": "PutBucketObjectLockConfiguration",
    "GetObjectLockConfiguration": "GetBucketObjectLockConfiguration",
    "GetBucketAccelerateConfiguration": "GetAccelerateConfiguration",
    "PutBucketAccelerateConfiguration": "PutAccelerateConfiguration",
}
_CLOUDFRONT_SUFFIX = "2020_05_31"

# Data events: event history never shows them.
_DATA = {
    "lambda": {"Invoke", "InvokeAsync", "InvokeWithResponseStream"},
    "sns": {"Publish", "PublishBatch"},
    "sqs": {
        "SendMessage",
        "SendMessageBatch",
        "ReceiveMessage",
        "DeleteMessage",
        "DeleteMessageBatch",
        "ChangeMessageVisibility",
        "ChangeMessageVisibilityBatch",
    },
    "dynamodb": {
        "GetItem",
        "PutItem",
        "UpdateItem",
        "DeleteItem",
        "BatchGetItem",
        "BatchWriteItem",
        "Query",
        "Scan",
        "TransactGetItems",
        "TransactWriteItems",
        "ExecuteStatement",
        "BatchExecuteStatement",
        "ExecuteTransaction",
    },
    "kinesis": {"PutRecord", "PutRecords", "GetRecords", "GetShardIterator"},
    "firehose": {"PutRecord", "PutRecordBatch"},
    "logs": {"PutLogEvents", "GetLogEvents", "FilterLogEvents"},
    "monitoring": {"PutMetricData", "GetMetricData", "GetMetricStatistics"},
    "events": {"PutEvents"},
    "ssm": {"PutInventory", "UpdateInstanceInformation"},
}
_READING = (
    "Get",
    "List",
    "Describe",
    "Lookup",
    "Head",
    "BatchGet",
    "Search",
    "Simulate",
    "Select",
    "Test",
    "Validate",
)
_READ_TOO = {
    ("sts", "AssumeRole"),
    ("sts", "AssumeRoleWithSAML"),
    ("sts", "AssumeRoleWithWebIdentity"),
    ("sts", "DecodeAuthorizationMessage"),
    ("kms", "Decrypt"),
    ("kms", "Encrypt"),
    ("kms", "GenerateDataKey"),
    ("kms", "GenerateDataKeyWithoutPlaintext"),
    ("kms", "ReEncrypt"),
    ("kms", "Sign"),
    ("kms", "Verify"),
    ("dynamodb", "Query"),
    ("iam", "GenerateCredentialReport"),
    ("iam", "GenerateServiceLastAccessedDetails"),
}
_NOT_READ = {("sts", "GetFederationToken")}


def event_source(call: Call) -> str:
    """The service host name, such as `iam.amazonaws.com`."""
    return f"{_SOURCE.get(call.signing_name, call.signing_name)}.amazonaws.com"


def event_name(call: Call) -> str:
    """The event name; Lambda and CloudFront add the date of their API, S3 has names of its own."""
    if call.signing_name == "lambda":
        return _LAMBDA_NAMES.get(call.operation, call.operation)
    if call.signing_name == "s3":
        return _S3_NAMES.get(call.operation, call.operation)
    if call.signing_name == "cloudfront":
        return call.operation + _CLOUDFRONT_SUFFIX
    return call.operation


def event_region(call: Call) -> str:
    """The region whose event history has the event: us-east-1 for global services."""
    return GLOBAL_REGION if call.signing_name in _GLOBAL else call.region


def is_read_only(call: Call) -> bool:
    """`readOnly` as CloudTrail records it, which is not what one would think: AssumeRole is."""
    pair = (call.signing_name, call.operation)
    return pair in _READ_TOO or (call.operation.startswith(_READING) and pair not in _NOT_READ)


def is_data_event(call: Call) -> bool:
    """Whether the call works on content instead of resources, and so is missing from event history."""
    if call.signing_name == "s3":
        return call.model is not None and is_object_call(call.model)
    return call.operation in _DATA.get(call.signing_name, ())
