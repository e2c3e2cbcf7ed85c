"""The fields that CloudTrail records have, for telling a misspelt one from one that is only rare.

Source: https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
"""

from __future__ import annotations

from trailwatch.model.fieldpath import parse_path
from trailwatch.rules.names import meant

OPEN = frozenset(
    {
        "requestParameters",
        "responseElements",
        "additionalEventData",
        "serviceEventDetails",
        "insightDetails",
        "edgeDeviceDetails",
        "eventContext",
        "annotation",
    }
)
"""Fields whose members every service chooses by itself."""

_SESSION = "userIdentity.sessionContext"
PATHS = frozenset(
    {
        "eventVersion",
        "eventTime",
        "eventSource",
        "eventName",
        "awsRegion",
        "sourceIPAddress",
        "userAgent",
        "errorCode",
        "errorMessage",
        "requestID",
        "eventID",
        "readOnly",
        "managementEvent",
        "eventType",
        "eventCategory",
        "apiVersion",
        "recipientAccountId",
        "sharedEventID",
        "vpcEndpointId",
        "vpcEndpointAccountId",
        "sessionCredentialFromConsole",
        "resources.ARN",
        "resources.ARNPrefix",
        "resources.accountId",
        "resources.type",
        "userIdentity.type",
        "userIdentity.userName",
        "userIdentity.principalId",
        "userIdentity.arn",
        "userIdentity.accountId",
        "userIdentity.accessKeyId",
        "userIdentity.invokedBy",
        "userIdentity.identityProvider",
        "userIdentity.credentialId",
        "userIdentity.onBehalfOf.userId",
        "userIdentity.onBehalfOf.identityStoreArn",
        "userIdentity.inScopeOf.sourceArn",
        "userIdentity.inScopeOf.sourceAccount",
        "userIdentity.inScopeOf.issuerType",
        "userIdentity.inScopeOf.credentialsIssuedTo",
        f"{_SESSION}.attributes.mfaAuthenticated",
        f"{_SESSION}.attributes.creationDate",
        f"{_SESSION}.sessionIssuer.type",
        f"{_SESSION}.sessionIssuer.userName",
        f"{_SESSION}.sessionIssuer.principalId",
        f"{_SESSION}.sessionIssuer.arn",
        f"{_SESSION}.sessionIssuer.accountId",
        f"{_SESSION}.webIdFederationData.federatedProvider",
        f"{_SESSION}.webIdFederationData.attributes",
        f"{_SESSION}.sourceIdentity",
        f"{_SESSION}.assumedRoot",
        f"{_SESSION}.ec2RoleDelivery",
        f"{_SESSION}.ec2IssuedInVpc",
        "addendum.reason",
        "addendum.updatedFields",
        "addendum.originalRequestID",
        "addendum.originalEventID",
        "tlsDetails.tlsVersion",
        "tlsDetails.cipherSuite",
        "tlsDetails.clientProvidedHostHeader",
        "tlsDetails.keyExchange",
    }
)
_WAYS = frozenset(path.rsplit(".", depth)[0] for path in PATHS for depth in range(1, path.count(".") + 1))

VALUES: dict[str, tuple[str, ...]] = {
    "userIdentity.type": (
        "Root",
        "IAMUser",
        "AssumedRole",
        "Role",
        "FederatedUser",
        "Directory",
        "AWSAccount",
        "AWSService",
        "IdentityCenterUser",
        "SAMLUser",
        "WebIdentityUser",
        "Unknown",
    ),
    "eventType": (
        "AwsApiCall",
        "AwsServiceEvent",
        "AwsConsoleAction",
        "AwsConsoleSignIn",
        "AwsVpceEvent",
        "AwsCloudTrailInsight",
    ),
    "eventCategory": ("Management", "Data", "NetworkActivity", "Insight"),
    "readOnly": ("true", "false"),
    "managementEvent": ("true", "false"),
}
"""Every value of the fields that have few."""


def unknown_field(path: str) -> str | None:
    """None for a path that records can have, else what was probably meant, as `meant` says it."""
    names = [segment for segment in parse_path(path) if isinstance(segment, str)]
    if not names or names[0] in OPEN:
        return None
    plain = ".".join(names)
    if plain in PATHS or plain in _WAYS or plain.startswith(f"{_SESSION}.webIdFederationData.attributes."):
        return None
    return meant(plain, PATHS | OPEN)
