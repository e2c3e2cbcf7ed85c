r"""CloudWatch Logs filter patterns for JSON, read into predicates.

    pattern   := '{' expr '}'
    expr      := and ('||' and)*                          precedence: () before && before ||
    and       := unary ('&&' unary)*
    unary     := '(' expr ')' | condition
    condition := selector ('=' | '!=') value | selector ('<' | '<=' | '>' | '>=') number
               | selector 'IS' ('NULL' | 'TRUE' | 'FALSE') | selector 'NOT' 'EXISTS'
    selector  := '$' ('.' name | '[' digits ']' | "['" any "']" | '[*]' | '.*')+
    value     := '"' characters '"' | bare | number | '%' regex '%'      `*` in a text is any run of characters

Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html

Where that page is silent, this is what holds here:
- a comparison never holds on a field that is missing, null, a list or an object; `!=` neither. So `$.a != "x"` means:
  there is a text, number or boolean at `a`, and it is not x. With a wildcard selector: there is one, and none is x;
- texts are compared with case, a number or boolean by its JSON text, so `= "5"` and `= 5` both hold for 5 and "5";
- `\"` and `\\` are escapes in a quoted text; any other backslash stands for itself;
- bare values may hold letters, digits and `_ . * : / @ + -`, as in AWS's own published filters;
- digits with a leading zero are a text, so that account ids keep their zeros;
- `IS TRUE` also holds for the text "true", as `rules.predicate` says of booleans.
"""

from __future__ import annotations

import math
import re

from trailwatch.errors import RuleError
from trailwatch.model.fieldpath import Segment, Wild, print_path
from trailwatch.rules.pattern_scanner import BARE, WORD, Locate, Scanner, in_text
from trailwatch.rules.pattern_tests import joined, presence, text_test
from trailwatch.rules.predicate import Field, Not, Op, Predicate, Value, all_of
from trailwatch.rules.regex import regex_refusal

MAX_LENGTH = 1024
"""Characters of a pattern."""
MAX_REGEXES = 2
"""Regular expressions in a pattern."""
MAX_WILDCARDS = 3
"""Wildcard selectors in a pattern; one selector has at most one."""
MAX_DEPTH = 50
"""Nested parentheses; our own bound, so that no pattern exhausts the stack."""

REGEX_TEXT = re.compile(
    r"(?:[A-Za-z0-9:_#=@/;,\-^$?\[\]{}|*+.]|\\(?:x[0-9A-Fa-f]{2}|[dDsSwW]|[:_#=@/;,\-^$?\[\]{}|*+.\\]))+"
)
"""What a regular expression between percent signs may hold: no blanks, parentheses, `!` or `%`."""

_NAME = re.compile(r"[A-Za-z0-9_-]+")
_NUMBER = re.compile(r"[+-]?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_QUOTED_KEY = re.compile(r"\['((?:[^'\\]|\\.)*)'\]")
_INDEX = re.compile(r"\[([0-9]+|\*)\]")
_OPERATOR = re.compile(r"!=|>=|<=|==|=|>|<")
_COMPARE = {">": Op.GT, ">=": Op.GTE, "<": Op.LT, "<=": Op.LTE}


def parse(text: str, origin: str | Locate = "pattern") -> Predicate:
    """The predicate that a filter pattern stands for.

    Args:
        text: the pattern with its braces.
        origin: what errors call the pattern, or a function that finds the place of an offset.

    Raises:
        RuleError: it is no JSON filter pattern, or over a limit of CloudWatch; the error names the exact place.
    """
    return _Parser(text, origin if callable(origin) else in_text(text, origin)).pattern()


class _Parser(Scanner):
    """Recursive descent over the text itself: what a character means depends on where it stands."""

    def __init__(self, text: str, locate: Locate) -> None:
        super().__init__(text, locate)
        self.depth = 0
        self.regexes = 0
        self.wildcards = 0

    def pattern(self) -> Predicate:
        if len(self.text.strip()) > MAX_LENGTH:
            start = len(self.text) - len(self.text.lstrip())
            raise self.error(
                f"the pattern has {len(self.text.strip())} characters, CloudWatch takes {MAX_LENGTH}",
                "split it into two rules",
                start + MAX_LENGTH,
            )
        if not self.take("{"):
            raise self.not_json()
        self.skip()
        if self.at < len(self.text) and self.text[self.at] == "}":
            raise self.error("the pattern has no condition", 'write one, such as { $.eventName = "ConsoleLogin" }')
        predicate = self.expression()
        if not self.take("}"):
            raise self.error(f"expected && or || or }}, got {self.seen()}", self.hint_after_condition())
        self.skip()
        if self.at < len(self.text):
            raise self.error(
                f"expected nothing after the closing }}, got {self.seen()}", "put all conditions into one { }"
            )
        return predicate

    def expression(self) -> Predicate:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise self.error(f"parentheses are nested more than {MAX_DEPTH} deep", "take the needless ones away")
        items = [self.conjunction()]
        while self.take("||"):
            items.append(self.conjunction())
        self.depth -= 1
        return joined(*items)

    def conjunction(self) -> Predicate:
        items = [self.unary()]
        while self.take("&&"):
            items.append(self.unary())
        return all_of(*items)

    def unary(self) -> Predicate:
        if not self.take("("):
            return self.condition()
        predicate = self.expression()
        if not self.take(")"):
            raise self.error(f"expected && or || or ), got {self.seen()}", self.hint_after_condition())
        return predicate

    def condition(self) -> Predicate:
        path = self.selector()
        self.skip()
        start = self.at
        found = _OPERATOR.match(self.text, self.at)
        if found is None:
            return self.keyword(path)
        self.at = found.end()
        operator = found.group()
        if operator == "==":
            raise self.error('expected an operator, got "=="', 'write a single "="', start)
        if operator in _COMPARE:
            return Field(path, _COMPARE[operator], (self.number(),), cased=True, strict=True)
        test = self.value(path)
        return all_of(presence(path), Not(test)) if operator == "!=" else test

    def keyword(self, path: str) -> Predicate:
        start, word = self.at, self.word()
        if word == "IS":
            which_at, which = self.next_word()
            if which == "NULL":
                return Field(path, Op.IS_NULL, strict=True, cased=True)
            if which in {"TRUE", "FALSE"}:
                return Field(path, Op.EQ, (which == "TRUE",), cased=True, strict=True)
            raise self.error(f"expected NULL, TRUE or FALSE after IS, got {self.seen(which_at)}", _IS_HINT, which_at)
        if word == "NOT":
            which_at, which = self.next_word()
            if which == "EXISTS":
                return Field(path, Op.ABSENT, strict=True, cased=True)
            raise self.error(f"expected EXISTS after NOT, got {self.seen(which_at)}", 'write "NOT EXISTS"', which_at)
        remedy = 'write one of = != < <= > >=, "IS NULL", "IS TRUE", "IS FALSE", "NOT EXISTS"'
        if word == "EXISTS":
            remedy = 'there is no EXISTS; write = "*" for a text, number or boolean'
        elif word.upper() in {"IS", "NOT"}:
            remedy = f"keywords are upper case: {word.upper()}"
        raise self.error(f"expected an operator, got {self.seen(start)}", remedy, start)

    def selector(self) -> str:
        self.skip()
        start = self.at
        if not self.text.startswith("$", self.at):
            remedy = "a condition starts with a field, such as $.eventName"
            if self.text.startswith("!", self.at):
                remedy = "there is no negation of a condition; use !=, or NOT EXISTS"
            raise self.error(f"expected a field, got {self.seen()}", remedy)
        self.at += 1
        segments: list[Segment] = []
        while self.text.startswith((".", "["), self.at):
            segments.append(self.segment())
        if not segments:
            raise self.error(f"expected . or [ after $, got {self.seen()}", "name a field, such as $.eventName")
        wild = sum(isinstance(segment, Wild) for segment in segments)
        self.wildcards += wild
        if wild > 1:
            raise self.error("a field has more than one wildcard, CloudWatch takes one", "name the other part", start)
        if self.wildcards > MAX_WILDCARDS:
            what = f"the pattern has more than {MAX_WILDCARDS} wildcard fields, CloudWatch takes {MAX_WILDCARDS}"
            raise self.error(what, "split it into two rules", start)
        return print_path(segments)

    def segment(self) -> Segment:
        dot = self.text[self.at] == "."
        if dot:
            self.at += 1
            if self.text.startswith("*", self.at):
                self.at += 1
                return Wild.MEMBER
            name = _NAME.match(self.text, self.at)
            if name is not None:
                self.at = name.end()
                return name.group()
        quoted = _QUOTED_KEY.match(self.text, self.at)
        if quoted is not None:
            self.at = quoted.end()
            return re.sub(r"\\(.)", r"\1", quoted.group(1))
        index = None if dot else _INDEX.match(self.text, self.at)
        if index is None:
            what = "a name" if dot else "[0], [*] or ['name']"
            raise self.error(
                f"expected {what} in the field, got {self.seen()}", "write names with other signs as ['a.b']"
            )
        self.at = index.end()
        return Wild.ELEMENT if index.group(1) == "*" else int(index.group(1))

    def value(self, path: str) -> Field:
        self.skip()
        if self.text.startswith('"', self.at):
            return text_test(path, self.quoted())
        if self.text.startswith("%", self.at):
            return Field(path, Op.RE, (self.regex(),), cased=True, strict=True)
        found = BARE.match(self.text, self.at)
        if found is None:
            remedy = "write double quotes" if self.text.startswith("'", self.at) else "write a text in double quotes"
            raise self.error(f"expected a value, got {self.seen()}", remedy)
        if _NUMBER.fullmatch(found.group()):
            return Field(path, Op.EQ, (self.number(),), cased=True, strict=True)
        self.at = found.end()
        return text_test(path, found.group())

    def regex(self) -> str:
        start = self.at
        end = self.text.find("%", start + 1)
        if end < 0:
            raise self.error("the regular expression that starts here does not end", "close it with %", start)
        pattern = self.text[start + 1 : end]
        allowed = REGEX_TEXT.match(pattern)
        upto = allowed.end() if allowed else 0
        if not pattern or upto < len(pattern):
            what = f"expected a sign that CloudWatch takes in a regular expression, got {self.seen(start + 1 + upto)}"
            raise self.error(
                what, "letters, digits, : _ # = @ / ; , - and ^ $ ? [ ] { } | \\ * + . only", start + 1 + upto
            )
        self.regexes += 1
        if self.regexes > MAX_REGEXES:
            what = f"the pattern has more than {MAX_REGEXES} regular expressions, CloudWatch takes {MAX_REGEXES}"
            raise self.error(what, "split it into two rules", start)
        refusal = regex_refusal(pattern)
        if refusal:
            raise self.error(f"the regular expression {pattern!r} is refused: {refusal}", "correct it", start + 1)
        self.at = end + 1
        return pattern

    def number(self) -> Value:
        self.skip()
        start = self.at
        found = BARE.match(self.text, self.at)
        if found is None or _NUMBER.fullmatch(found.group()) is None:
            raise self.error(f"expected a number, got {self.seen()}", "texts can only be compared with = and !=")
        self.at = found.end()
        whole = not any(sign in found.group() for sign in ".eE")
        number = int(found.group()) if whole else float(found.group())
        if isinstance(number, float) and not math.isfinite(number):
            raise self.error(f"the number {found.group()} is too large", "write one below 1e308", start)
        return number

    def hint_after_condition(self) -> str:
        word = WORD.match(self.text, self.at)
        if word is not None and word.group().upper() in {"AND", "OR"}:
            return 'write "&&" for and, "||" for or'
        return "a value with a blank or another sign needs double quotes" if word else "check quotes and parentheses"

    def not_json(self) -> RuleError:
        self.skip()
        if self.text.startswith("[", self.at):
            what, remedy = (
                "a pattern for space-delimited logs, got [",
                "CloudTrail is JSON: write { $.eventName = ... }",
            )
        else:
            what, remedy = f"expected {{, got {self.seen()}", "write the JSON form: { $.eventName = ... }"
        return self.error(what, remedy)


_IS_HINT = 'IS NOT is not supported: write "!=", or "NOT EXISTS"'
