"""Whoever makes a key for somebody else can act as them after their own way in is closed."""

TITLE = "Access key made for somebody else"
SEVERITY = "high"
WHEN = {"eventSource": "iam.amazonaws.com", "eventName": "CreateAccessKey", "errorCode|exists": False}
TAGS = ["attack.persistence", "attack.t1098.001"]
TRIAGE = ["Disable the new key.", "Ask its owner whether they asked for it."]


def rule(event):
    """Whether the key is for a user who is not the caller."""
    owner = event.path("requestParameters.userName")
    return owner is not None and owner != event.path("userIdentity.userName")


def title(event):
    """A title that names both."""
    return f"{event.principal.name} made an access key for {event.path('requestParameters.userName')}"


def context(event):
    """What helps to decide."""
    return {"New key": str(event.path("responseElements.accessKey.accessKeyId", "?"))}
