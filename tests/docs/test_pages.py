"""The pages say what is true: everything is documented, links lead somewhere, commands run as shown."""

import importlib.util
import json
import re
import tomllib
from pathlib import Path

import click
import pytest

from trailwatch import errors
from trailwatch.cli import main
from trailwatch.config.load import NOTIFIERS, load, scalar_settings

ROOT = Path(__file__).parents[2]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]
RUNNABLE = re.compile(r"<!-- run(?:: exit (\d+))? -->\n```console\n(.*?)```", re.DOTALL)
BLOCK = re.compile(r"```(\w+)\n(.*?)```", re.DOTALL)
LINK = re.compile(r'\[[^\]]*\]\(([^)\s]+)\)|src="([^"]+)"')
EXIT_CODES = {0, 1, 2, 3, 10}


def page(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _generator():
    spec = importlib.util.spec_from_file_location("docs_generate", ROOT / "docs" / "generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _commands(prefix: str, command: click.Command) -> list[tuple[str, click.Command]]:
    found = [(prefix, command)]
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            found += _commands(f"{prefix} {name}", command.get_command(context, name))
    return found


def every_command() -> list[tuple[str, click.Command]]:
    context = click.Context(main.main)
    return [
        pair
        for name in main.COMMANDS
        for pair in _commands(f"trailwatch {name}", main.main.get_command(context, name))
    ]


def test_generated_parts_are_fresh(capsys):
    assert _generator().main(["--check"]) == 0, capsys.readouterr().err


def test_a_stale_part_is_told(tmp_path, capsys):
    generator = _generator()
    generator.DOCS = tmp_path
    (tmp_path / "x.md").write_text(
        "<!-- generated: exit_codes -->\nold\n<!-- end of generated -->\n", encoding="utf-8"
    )

    assert generator.main(["--check"]) == 1
    assert "x.md: stale" in capsys.readouterr().err
    assert generator.main([]) == 0
    assert generator.main(["--check"]) == 0


def test_every_command_and_option_is_documented_with_what_it_does():
    text = page("docs/commands.md")
    missing = []
    for path, command in every_command():
        if f"`{path}`" not in text:
            missing.append(path)
        if not command.help:
            missing.append(f"{path}: no help")
        for param in command.params:
            if isinstance(param, click.Option) and not param.hidden:
                missing += [f"{path} {name}" for name in param.opts if name not in text]
                missing += [f"{path} {param.opts[0]}: no help"] if not param.help else []

    assert missing == []


def test_every_setting_is_documented_with_a_sentence():
    text = page("docs/configuration.md")
    names = {dotted.rpartition(".")[2] for dotted in scalar_settings()}
    for kind in NOTIFIERS.values():
        names |= set(kind.__struct_fields__)

    assert [name for name in sorted(names) if not re.search(rf"\| `{name}` \|.*\| \S.* \|", text)] == []


@pytest.mark.parametrize("kind", NOTIFIERS)
def test_every_notifier_has_an_example(kind):
    assert f'type = "{kind}"' in page("docs/notifications.md")


def test_every_exit_code_is_documented():
    raised = {
        kind.exit_code
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, errors.TrailwatchError)
    }

    assert raised <= EXIT_CODES
    for name in ("docs/commands.md", "docs/check.md"):
        assert [code for code in sorted(EXIT_CODES) if f"| {code} | " not in page(name)] == []


def test_every_package_is_in_the_architecture():
    packages = [p.name for p in (ROOT / "src" / "trailwatch").iterdir() if (p / "__init__.py").is_file()]
    text = page("docs/architecture.md")

    assert [name for name in sorted(packages) if f"| `{name}` |" not in text] == []


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_links_lead_to_files_and_headings_that_are_there(path):
    broken = []
    for found in LINK.finditer(path.read_text(encoding="utf-8")):
        target = found[1] or found[2]
        if "://" in target:
            continue
        file, _, heading = target.partition("#")
        place = (path.parent / file).resolve() if file else path
        if not place.exists() or (heading and heading not in _headings(place)):
            broken.append(target)

    assert broken == []


@pytest.mark.parametrize("picture", sorted((ROOT / "docs" / "img").glob("*.svg")), ids=name_of)
def test_pictures_load_nothing_from_elsewhere(picture):
    text = picture.read_text(encoding="utf-8")

    assert not re.search(r"url\(['\"]?https?:|href=|<script|@import", text)
    assert len(text) < 200_000


def test_a_recording_of_the_demo_is_cut_before_the_mail():
    recording = (
        '<svg viewBox="0 0 100 300"><style>@font-face { src: url("https://fonts.example/x.woff"); }</style>'
        '<rect fill="#292929" stroke="x" height="298"/><text class="a" y="20">kept</text>'
        '<text class="a" y="60">&#160;the&#160;mail,&#160;as</text><rect fill="#fff" x="0" y="80"/>'
        '<text class="a" y="90">cut</text></svg>'
    )

    assert _generator().readme_picture(recording) == (
        '<svg viewBox="0 0 100 76"><style></style><rect fill="#292929" stroke="x" height="74"/>'
        '<text class="a" y="20">kept</text></svg>\n'
    )


def _headings(path: Path) -> set[str]:
    lines = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", line.lower()).replace(" ", "-") for line in lines}


def _runnable() -> list[tuple[str, int, str, str]]:
    found = []
    for path in PAGES:
        for block in RUNNABLE.finditer(path.read_text(encoding="utf-8")):
            line, _, output = block[2].partition("\n")
            found.append((name_of(path), int(block[1] or 0), line.removeprefix("$ "), output))
    return found


@pytest.mark.parametrize(
    ("code", "line", "output"),
    [block[1:] for block in _runnable()],
    ids=[f"{name}: {line}" for name, _, line, _ in _runnable()],
)
def test_commands_on_the_pages_run_as_shown(shell, code, line, output):
    done = shell.run(line)

    assert done.returncode == code, done.stderr
    assert done.stdout.strip(), done.stderr
    shown = [text.rstrip() for text in output.splitlines() if text.strip() not in ("", "...")]
    printed = [text.rstrip() for text in (done.stdout + done.stderr).splitlines()]
    assert [text for text in shown if text not in printed] == []


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_blocks_of_data_are_well_formed(path, tmp_path):
    for kind, text in BLOCK.findall(path.read_text(encoding="utf-8")):
        if kind == "json":
            json.loads(text)
        elif kind == "toml":
            tomllib.loads(text)
            file = tmp_path / "trailwatch.toml"
            file.write_text(text, encoding="utf-8")
            load(str(file), {})


def test_the_python_on_the_rules_page_runs(shell):
    blocks = [text for kind, text in BLOCK.findall(page("docs/rules.md")) if kind == "python"]
    tests = [text for text in blocks if "assert" in text]
    rules = [text for text in blocks if "assert" not in text]

    assert tests
    for text in tests:
        compile(text, "docs/rules.md", "exec")
        done = shell.run(f"python - <<'END'\n{text}\nEND")
        assert done.returncode == 0, done.stderr
    for text in rules:
        compile(text, "docs/rules.md", "exec")


def test_the_readme_has_the_commands_the_cron_line_and_the_least_policy():
    text = page("README.md")

    assert "    make demo" in text
    assert "    make test" in text
    assert "* * * * * /opt/local/bin/trailwatch -c 2>&1 >> /var/log/trailwatch.log" in text
    policy = json.loads(next(block for kind, block in BLOCK.findall(text) if kind == "json"))
    assert policy["Statement"][0]["Action"] == ["cloudtrail:LookupEvents", "ec2:DescribeRegions"]
    assert policy in [
        json.loads(block) for kind, block in BLOCK.findall(page("docs/permissions.md")) if kind == "json"
    ]


def test_every_make_target_that_a_page_names_is_there():
    targets = set(re.findall(r"^([a-z-]+):", page("Makefile"), re.MULTILINE))
    shown = re.compile(r"(?:^ {4,}|`)make ([a-z-]+)", re.MULTILINE)
    named = {name for path in PAGES for name in shown.findall(path.read_text(encoding="utf-8"))}

    assert named
    assert named - targets == set()
