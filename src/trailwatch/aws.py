"""Sessions and clients for AWS: the only place that makes them.

Everything shares one loader, because reading the service models is most of what a client costs. AWS_ENDPOINT_URL
and the other standard settings are honoured by botocore itself.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from trailwatch.config.schema import Account
from trailwatch.errors import ConfigError, SourceError
from trailwatch.version import __version__

if TYPE_CHECKING:
    from botocore.config import Config
    from botocore.credentials import Credentials
    from botocore.session import Session

CONNECT_TIMEOUT_SECONDS = 5
READ_TIMEOUT_SECONDS = 10
ATTEMPTS = 4
HOME_REGION = "us-east-1"
PERMISSIONS = ("ec2:DescribeRegions",)
"""Every IAM action that `Access` itself needs; `sts:GetCallerIdentity` needs none."""
AMBIENT = Account(name="ambient")
"""The account that the ambient credentials belong to."""


class Access:
    """Credentials and clients of one account.

    Args:
        account: what the configuration says about it.
        session: the botocore session, with the account's credentials in it.
    """

    def __init__(self, account: Account, session: Session) -> None:
        self.account = account
        self._session = session

    def client(self, service: str, region: str) -> Any:
        """A new client; its owner keeps it, because making one costs much more than a call."""
        return self._session.create_client(service, region_name=region, config=_client_config())

    def offers(self, service: str, region: str) -> bool:
        """Whether AWS has the service in that region, as far as botocore knows."""
        partition = self._session.get_partition_for_region(region)
        return region in self._session.get_available_regions(service, partition)

    @property
    def default_region(self) -> str:
        """The region of the environment or profile, or us-east-1."""
        return str(self._session.get_config_variable("region") or HOME_REGION)

    @property
    def access_key(self) -> str:
        """The access key id in use.

        Raises:
            SourceError: there are no credentials, or they cannot be had.
        """
        from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

        try:
            credentials = self._session.get_credentials()
            frozen = credentials.get_frozen_credentials() if credentials is not None else None
        except (BotoCoreError, ClientError) as error:
            raise SourceError(
                self.account.name,
                f"AWS credentials cannot be had: {error}",
                "check [[account]] and that the role may be assumed",
                kind="unreachable" if isinstance(error, HTTPClientError) else "denied",
            ) from error
        if frozen is None:
            raise SourceError(
                self.account.name,
                "no AWS credentials were found",
                "set AWS_PROFILE or AWS_ACCESS_KEY_ID, or name a profile under [[account]]",
                kind="denied",
            )
        return str(frozen.access_key)

    @property
    def known_account_id(self) -> str:
        """The account id as far as the configuration tells it: it stands in a role's ARN."""
        parts = self.account.role_arn.split(":")
        return parts[4] if len(parts) > 5 else ""  # noqa: PLR2004 arn:aws:iam::account:role/name

    def ask_account_id(self) -> str:
        """Asks sts:GetCallerIdentity, which needs no permission.

        Raises:
            SourceError: no answer, or the credentials are not valid.
        """
        return self.ask_caller()[0]

    def ask_caller(self) -> tuple[str, str]:
        """The account id and the ARN that these credentials stand for, asked as above.

        Raises:
            SourceError: no answer, or the credentials are not valid.
        """
        answer = self._ask("sts", "get_caller_identity")
        return str(answer["Account"]), str(answer["Arn"])

    def ask_regions(self) -> tuple[str, ...]:
        """Asks ec2:DescribeRegions for the regions that are enabled.

        Raises:
            SourceError: no answer, or it is not allowed.
        """
        answer = self._ask("ec2", "describe_regions")
        return tuple(sorted(region["RegionName"] for region in answer["Regions"]))

    def _ask(self, service: str, operation: str) -> dict[str, Any]:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            answer: dict[str, Any] = getattr(self.client(service, self.default_region), operation)()
        except (BotoCoreError, ClientError) as error:
            denied = isinstance(error, ClientError)
            raise SourceError(
                f"{self.account.name}: {service} {operation}",
                str(error),
                "check the credentials and that the role may do this" if denied else "check the way to AWS",
                kind="denied" if denied else "unreachable",
            ) from error
        return answer


def accesses(accounts: Sequence[Account]) -> list[Access]:
    """Access to each account; for none named, to the one of the ambient credentials.

    Raises:
        ConfigError: there is no such profile.
    """
    first = _session("")
    return [_access(account, first) for account in accounts or (AMBIENT,)]


def ambient_client(service: str, region: str) -> Any:
    """A new client with the ambient credentials, which asks once: whoever calls it tries again itself.

    Raises:
        ConfigError: AWS_PROFILE names no profile.
    """
    from botocore.config import Config

    once = Config(retries={"mode": "standard", "total_max_attempts": 1})
    return _session("").create_client(service, region_name=region, config=_client_config().merge(once))


def _access(account: Account, first: Session) -> Access:
    session = first if not account.profile else _session(account.profile, like=first)
    if account.role_arn:
        base = session
        session = _session(account.profile, like=first)
        session.register_component("credential_provider", _Assumed(base, account))
    return Access(account, session)


def _session(profile: str, like: Session | None = None) -> Session:
    from botocore.exceptions import ProfileNotFound
    from botocore.session import Session

    session = Session(profile=profile or None)
    try:
        session.get_scoped_config()
    except ProfileNotFound as error:
        raise ConfigError("account.profile", str(error), "correct it, or make that profile") from error
    if like is not None:
        # the loader keeps the models it has read
        session.register_component("data_loader", like.get_component("data_loader"))
    session.user_agent_extra = f"trailwatch/{__version__}"
    return session


class _Assumed:
    """A credential provider, as botocore wants it, for a role that is assumed when the first call needs it."""

    def __init__(self, base: Session, account: Account) -> None:
        self._base = base
        self._account = account

    @functools.cached_property
    def _credentials(self) -> Credentials:
        from botocore.credentials import AssumeRoleCredentialFetcher, DeferredRefreshableCredentials

        source = self._base.get_credentials()
        if source is None:
            raise SourceError(
                self._account.name,
                f"no AWS credentials to assume {self._account.role_arn} with",
                "set AWS_PROFILE, or name a profile under [[account]]",
                kind="denied",
            )
        arguments = {"RoleSessionName": f"trailwatch-{os.getpid()}"}
        if self._account.external_id:
            arguments["ExternalId"] = self._account.external_id
        fetcher = AssumeRoleCredentialFetcher(
            functools.partial(self._base.create_client, region_name=self._region, config=_client_config()),
            source,
            self._account.role_arn,
            extra_args=arguments,
        )
        return DeferredRefreshableCredentials(fetcher.fetch_credentials, "assume-role")

    @property
    def _region(self) -> str:
        return str(self._base.get_config_variable("region") or HOME_REGION)

    def load_credentials(self) -> Credentials:
        return self._credentials


@functools.cache
def _client_config() -> Config:
    from botocore.config import Config

    return Config(
        connect_timeout=CONNECT_TIMEOUT_SECONDS,
        read_timeout=READ_TIMEOUT_SECONDS,
        retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
        max_pool_connections=2,
    )
