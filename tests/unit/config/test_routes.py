"""Notifiers and routes that cannot work are refused when the file is read, with the one that was probably meant."""

import pytest

from trailwatch.config.load import NOTIFIERS, load
from trailwatch.config.secret import secret, secret_of
from trailwatch.errors import ConfigError
from trailwatch.model.severity import Severity
from trailwatch.notify.table import MAKERS, check

MAIL = '[[notify]]\ntype = "email"\nname = "on-call"\nto = ["a@example.org"]\n'
SLACK = '[[notify]]\ntype = "slack"\nname = "chat"\n'


@pytest.fixture
def read(tmp_path):
    def reading(text, **environment):
        path = tmp_path / "trailwatch.toml"
        path.write_text(text, encoding="utf-8")
        return load(str(path), environment).config

    return reading


def test_routes_and_digests_are_read(read):
    config = read(
        MAIL + 'digest = "daily"\nimmediate = "critical"\n'
        '[telling]\nupdate_every = "5m"\nflood = 9\nfallback = "on-call"\n'
        '[[route]]\nto = ["on-call"]\nseverity = "high"\naccounts = ["1"]\ntactics = ["impact"]\nrules = ["a*"]\n'
        'tags = ["t"]\nactor = ["*:role/x"]\ndigest = "hourly"\n'
    )

    [outlet], [route] = config.notify, config.route
    assert (outlet.digest, outlet.immediate) == ("daily", Severity.CRITICAL)
    assert (config.telling.update_every, config.telling.flood, config.telling.fallback) == (300, 9, "on-call")
    assert (route.to, route.severity, route.tactics) == (("on-call",), Severity.HIGH, ("impact",))
    assert (route.actor, route.digest) == (("*:role/x",), "hourly")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (MAIL + '[[route]]\nto = ["on-cal"]\n', "route[1].to: unknown notifier 'on-cal'; did you mean on-call?"),
        (MAIL + "[[route]]\nto = []\n", "route[1]: to names nobody"),
        (MAIL + "[[route]]\n", "to is missing"),
        (
            MAIL + '[[route]]\nto = ["on-call"]\ntactics = ["exfil"]\n',
            "route[1].tactics: unknown tactic 'exfil'; did you mean exfiltration?",
        ),
        (MAIL + '[[route]]\nto = ["on-call"]\ntactic = ["impact"]\n', "unknown setting; did you mean tactics?"),
        (
            MAIL + '[telling]\nfallback = "oncall"\n',
            "telling.fallback: unknown notifier 'oncall'; did you mean on-call?",
        ),
        ('[telling]\ndigest_at = "25:00"\n', "telling.digest_at: no time of day: '25:00'"),
        ("[telling]\nflood = 0\n", "telling.flood: must be at least 1, got 0"),
        (MAIL + 'digest = "weekly"\n', "invalid enum value 'weekly'"),
        ('[[notify]]\ntype = "emial"\nname = "x"\n', "unknown notifier 'emial'; did you mean email?"),
        ('[[notify]]\ntype = "email"\nname = "x"\nto = []\n', "notify x: to names nobody"),
        (SLACK, "notify chat: needs either a webhook or a token"),
        (SLACK + 'webhook_env = "A"\ntoken_env = "B"\n', "notify chat: needs either a webhook or a token"),
        (SLACK + 'token_env = "B"\n', "notify chat: channel is missing"),
        (SLACK + 'webhook_env = "A"\napprovers = ["U1"]\n', "channel and approvers need a bot's token"),
        ('[[notify]]\ntype = "webhook"\nname = "h"\n', "notify h: needs one of url, url_env and url_file"),
        ('[[notify]]\ntype = "webhook"\nname = "h"\nurl = "x"\nurl_env = "Y"\n', "notify h: needs one of url"),
        ('[[notify]]\ntype = "apprise"\nname = "a"\n', "notify a: needs one of url_env and url_file"),
        ('[[notify]]\ntype = "sns"\nname = "s"\n', "topic_arn is missing"),
        ('[[notify]]\ntype = "sns"\nname = "s"\ntopic_arn = "alerts"\n', "notify s: no ARN of a topic: 'alerts'"),
    ],
)
def test_what_cannot_work_is_refused_with_what_was_probably_meant(read, text, said):
    with pytest.raises(ConfigError) as caught:
        read(text)

    assert said in str(caught.value)


def test_everything_that_is_wrong_is_told_at_once(read):
    with pytest.raises(ConfigError) as caught:
        read(MAIL + SLACK + '[[route]]\nto = ["x"]\n[[route]]\nto = ["on-call"]\ntactics = ["y"]\n')

    assert len(str(caught.value).splitlines()) == 3


def test_a_route_may_name_the_notifier_that_is_there_when_none_is_configured(read):
    assert read('[[route]]\nto = ["console"]\nseverity = "high"\n').route[0].to == ("console",)


@pytest.mark.parametrize(
    ("text", "module", "extra"),
    [
        (SLACK + 'token_env = "SECRET"\nchannel = "C1"\n', "slack_sdk", "slack"),
        ('[[notify]]\ntype = "apprise"\nname = "chat"\nurl_env = "SECRET"\n', "apprise", "apprise"),
    ],
)
def test_a_package_that_is_not_installed_is_told_with_how_to_install_it(read, text, module, extra):
    [outlet] = read(text).notify

    with pytest.raises(ConfigError) as caught:
        check(outlet, {"SECRET": "x"}, lambda name: name != module)

    assert str(caught.value) == (
        f"notify chat: the package for it is not installed: {module}; pip install 'trailwatch-aws[{extra}]'"
    )


def test_a_webhook_needs_no_package(read):
    [outlet] = read(SLACK + 'webhook_env = "SECRET"\n').notify

    check(outlet, {"SECRET": "x"}, lambda _name: False)


def test_every_kind_of_notifier_can_be_made():
    assert set(MAKERS) == set(NOTIFIERS.values())


def test_a_secret_comes_from_the_environment_or_from_a_file(tmp_path):
    file = tmp_path / "secret"
    file.write_text("from file\n")

    assert secret("x", "NAME", "", {"NAME": "from environment"}) == "from environment"
    assert secret("x", "", str(file), {}) == "from file"
    assert secret("x", "", "", {}) is None


@pytest.mark.parametrize(
    ("variable", "content", "said"),
    [
        ("NAME", b"", "the environment variable NAME is not set; set it, or use token_file"),
        ("", b"", "is empty; write the token into it"),
        ("", None, "No such file or directory; correct token_file"),
        ("", b"\xff\xfe\x00", "it is no text; correct token_file"),
    ],
)
def test_a_secret_that_is_not_there_says_what_to_do(tmp_path, variable, content, said):
    file = tmp_path / "secret"
    if content is not None:
        file.write_bytes(content)

    with pytest.raises(ConfigError) as caught:
        secret("notify chat", variable, str(file), {}, "token")

    assert said in str(caught.value)


def test_every_secret_of_every_kind_is_looked_at_before_it_is_needed(read):
    texts = {
        "email": MAIL + 'password_env = "SECRET"\n',
        "slack": SLACK + 'token_env = "SECRET"\nchannel = "C1"\n',
        "webhook": '[[notify]]\ntype = "webhook"\nname = "h"\nurl = "https://x"\nsecret_env = "SECRET"\n',
        "apprise": '[[notify]]\ntype = "apprise"\nname = "a"\nurl_env = "SECRET"\n',
    }
    for text in texts.values():
        [outlet] = read(text).notify
        check(outlet, {"SECRET": "x"})
        with pytest.raises(ConfigError, match="SECRET is not set"):
            check(outlet, {})
    assert {kind for kind, settings in NOTIFIERS.items() if settings.secrets} == set(texts)
    assert secret_of(read(texts["webhook"]).notify[0], "secret", {"SECRET": "x"}) == "x"
