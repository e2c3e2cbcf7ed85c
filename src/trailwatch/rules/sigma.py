"""Sigma YAML becomes rules: composed for the places of errors, checked, then parsed by pySigma.

What is no rule for CloudTrail is counted by reason, what is a broken one becomes a problem with its place; nothing
that stands in a folder stops the rest of it from loading.
"""

from __future__ import annotations

import copy
import uuid
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from sigma.collection import SigmaCollection, deep_dict_update
from sigma.correlations import SigmaCorrelationRule
from sigma.exceptions import SigmaError
from sigma.filters import SigmaFilter
from sigma.processing.pipeline import ProcessingPipeline
from sigma.rule import SigmaRule

from trailwatch.errors import RuleError
from trailwatch.model.rule import RuleInfo
from trailwatch.rules.predicate import any_of
from trailwatch.rules.rule import Correlation, Problem, Rule
from trailwatch.rules.sigma_check import RETIRED_STATUS, check, timeframe_of
from trailwatch.rules.sigma_correlation import UnknownRuleError, to_correlation
from trailwatch.rules.sigma_detection import PlaceholderMissingError, Placeholders, UnsupportedError, to_predicate
from trailwatch.rules.sigma_extras import ExtraError, rule_examples, rule_info, rule_stories, says_alerting
from trailwatch.rules.sigma_memory import first_seen, travel
from trailwatch.rules.sigma_place import refused
from trailwatch.rules.sigma_yaml import Document, read_documents

PRODUCT, SERVICE = "aws", "cloudtrail"
NOT_SIGMA = "YAML that is no Sigma rule"
OTHER_SOURCE = "for another log source"
RETIRED = "deprecated or unsupported"
NO_PLACEHOLDER = "placeholder without values"


class _Parsed(msgspec.Struct):
    """A rule between parsing and conversion: filters and pipelines still apply to it."""

    document: Document
    rule: Any
    slug: str
    shipped: bool = False


class SigmaReader:
    """Reads files one by one; `finish` converts, because filters and correlations reach across files.

    Args:
        placeholders: values for `%name%` in values with the modifier `expand`.
        pipelines: pySigma processing pipelines to apply, in this order.
    """

    def __init__(self, placeholders: Placeholders | None = None, pipelines: Sequence[Path] = ()) -> None:
        self.rules: list[Rule] = []
        self.correlations: list[Correlation] = []
        self.problems: list[Problem] = []
        self.skipped: Counter[str] = Counter()
        self._placeholders = placeholders or {}
        self._pipelines = [_pipeline(path) for path in pipelines]
        self._parsed: list[_Parsed] = []
        self._filters: list[tuple[Document, SigmaFilter]] = []

    def read(self, text: str, path: str, stem: str, *, shipped: bool = False) -> None:
        """Takes in one file.

        Args:
            text: its content.
            path: its name in messages.
            stem: the slug of its first rule.
            shipped: whether it ships with the program; then a placeholder without values is no problem of anybody's.
        """
        try:
            documents = read_documents(text, path)
        except ValueError as error:
            self.problems.append(
                Problem(f"{path}:{error}".split(": ", 1)[0], str(error).split(": ", 1)[1], error=True)
            )
            return
        joined = _with_actions(documents)
        if not joined:
            self.skipped[NOT_SIGMA] += 1
        slugs = (stem if at == 0 else f"{stem}-{at + 1}" for at in range(len(joined)))
        for document, slug in zip(joined, slugs, strict=True):
            self._document(document, slug, shipped=shipped)

    def _document(self, document: Document, slug: str, *, shipped: bool) -> None:
        reason = _skip_reason(document.data)
        if reason:
            self.skipped[reason] += 1
            return
        found = list(check(document))
        self.problems.extend(found)
        if any(problem.error for problem in found):
            return
        data = copy.deepcopy(document.data)
        if timeframe_of(data) is not None:
            del data["detection"]["timeframe"]
        try:
            parsed: Any = SigmaCollection.from_dicts([data], resolve_references=False, collect_filters=True)
        except SigmaError as error:
            self._broken(*refused(document, error))
            return
        except Exception as error:  # noqa: BLE001 pySigma raises whatever a malformed value makes it trip over
            self._broken(document.at(), f"pySigma cannot read it: {type(error).__name__}: {error}")
            return
        self._filters.extend((document, one) for one in parsed.filters)
        self._parsed.extend(_Parsed(document, rule, slug, shipped) for rule in parsed.rules)

    def finish(self, others: Iterable[Rule] = ()) -> None:
        """Fills `rules` and `correlations`.

        Args:
            others: rules of other files, which correlations may name too.
        """
        ids = {name: rule.info.id for rule in others for name in (rule.name, rule.info.id) if name}
        correlated: list[tuple[_Parsed, RuleInfo]] = []
        for parsed in self._parsed:
            document = parsed.document
            try:
                info = rule_info(document, parsed.slug, _line(document))
                if isinstance(parsed.rule, SigmaCorrelationRule):
                    correlated.append((parsed, info))
                else:
                    self.rules.append(self._convert(parsed, info))
            except ExtraError as error:
                self._broken(error.place, str(error))
            except PlaceholderMissingError as error:
                if parsed.shipped:
                    continue
                self.skipped[NO_PLACEHOLDER] += 1
                text = f"no values for the placeholder %{error}%; give them in the configuration"
                self.problems.append(Problem(document.at("detection"), text, error=False))
            except (UnsupportedError, SigmaError) as error:
                self._broken(*refused(document, error))
            except Exception as error:  # noqa: BLE001 pySigma raises whatever a malformed value makes it trip over
                self._broken(document.at(), f"it cannot be converted: {type(error).__name__}: {error}")
            else:
                ids[info.id] = info.id
                ids.setdefault(info.slug, info.id)
                if parsed.rule.name:
                    ids[parsed.rule.name] = info.id
        self._correlate(correlated, ids)
        self._check_filters()

    def _check_filters(self) -> None:
        known = {name for parsed in self._parsed for name in (str(parsed.rule.id), parsed.rule.name) if name}
        for document, one in self._filters:
            for reference in one.filter.rules if isinstance(one.filter.rules, list) else ():
                if reference.reference not in known:
                    text = f"the filter names the rule {reference.reference!r}, which is none of the Sigma rules here"
                    place = document.at("filter", "rules")
                    self.problems.append(Problem(place, f"{text}; give a rule's id or name", error=False))

    def _convert(self, parsed: _Parsed, info: RuleInfo) -> Rule:
        rule: SigmaRule = parsed.rule
        for _, one in self._filters:
            rule = one.apply_on_rule(rule)
        for pipeline in self._pipelines:
            pipeline.apply(rule)
        conditions = [to_predicate(c.parsed, self._placeholders) for c in rule.detection.parsed_condition]
        return Rule(
            info=info,
            condition=any_of(*conditions),
            examples=rule_examples(parsed.document),
            name=rule.name or "",
            first_seen=first_seen(parsed.document),
            travel=travel(parsed.document),
            alone=says_alerting(parsed.document),
        )

    def _correlate(self, waiting: Iterable[tuple[_Parsed, RuleInfo]], ids: Mapping[str, str]) -> None:
        for parsed, info in waiting:
            try:
                found = to_correlation(parsed.rule, info, ids)
                alone, stories = says_alerting(parsed.document), rule_stories(parsed.document)
                self.correlations.append(msgspec.structs.replace(found, alone=alone, stories=stories))
            except ExtraError as error:
                self._broken(error.place, str(error))
            except UnknownRuleError as error:
                text = f"the correlation names the rule {error.args[0]!r}, which was not loaded"
                self._broken(parsed.document.at("correlation", "rules"), text)
            except (SigmaError, TypeError) as error:
                self._broken(parsed.document.at("correlation", "condition"), str(error))

    def _broken(self, place: str, text: str) -> None:
        self.problems.append(Problem(place, text, error=True))


def _line(document: Document) -> str:
    return document.at().rpartition(":")[0]


def _skip_reason(data: object) -> str:
    if not isinstance(data, dict) or not {"detection", "correlation", "filter"} & set(data):
        return NOT_SIGMA
    if str(data.get("status", "")).lower() in RETIRED_STATUS:
        return RETIRED
    if "correlation" in data:
        return "" if "title" in data else NOT_SIGMA
    source = data.get("logsource")
    if not isinstance(source, dict):
        return NOT_SIGMA
    product, service = str(source.get("product", "")).lower(), str(source.get("service", "")).lower()
    if "filter" in data and "category" not in source:
        return "" if product in {"", PRODUCT} and service in {"", SERVICE} else OTHER_SOURCE
    return "" if (product, service) == (PRODUCT, SERVICE) else OTHER_SOURCE


def _with_actions(documents: list[Document]) -> list[Document]:
    """Documents after Sigma's `action: global | reset | repeat`, which join several into one."""
    shared: dict[str, Any] = {}
    before: dict[str, Any] = {}
    out: list[Document] = []
    for document in documents:
        data = document.data
        if not isinstance(data, dict):
            out.append(document)
            continue
        action = data.get("action")
        data = {key: value for key, value in data.items() if key != "action"}
        if action == "global":
            shared = before = data
        elif action == "reset":
            shared = {}
        elif action == "repeat":
            before = deep_dict_update(copy.deepcopy(before), data)
            out.append(Document(before, document.node, document.path))
        elif action is None:
            before = data if "correlation" in data else deep_dict_update(copy.deepcopy(data), copy.deepcopy(shared))
            if "id" in shared and "correlation" not in data:
                before["id"] = data.get("id") or _another_id(shared["id"], len(out))
            out.append(Document(before, document.node, document.path))
        else:
            out.append(document)
    return out


def _another_id(shared: object, number: int) -> object:
    """The id of the shared document for the first rule under it, and for each later one an id made from that."""
    return shared if number == 0 else str(uuid.uuid5(uuid.NAMESPACE_OID, f"{shared} {number}"))


def _pipeline(path: Path) -> Any:
    try:
        return ProcessingPipeline.from_yaml(path.read_text(encoding="utf-8"))
    except (OSError, SigmaError, ValueError, TypeError, AttributeError) as error:
        raise RuleError(str(path), f"no processing pipeline: {error}", "give a pySigma pipeline in YAML") from None
