"""Rules of configuration fields, declared beside each field."""

import dataclasses
import itertools
import math
import os
import types
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from cpcnn_jax.config.import_path import FORM, is_import_path


class Rule(NamedTuple):
    """A condition on one value.

    Attributes:
      text: completes the sentence "FIELD must be ...".
      holds: function of the value, True where the rule is met.
    """

    text: str
    holds: Callable[[Any], bool]


def setting(default: Any, rule: Rule) -> Any:
    """A dataclass field with a rule.

    Args:
      default: the default value, immutable.
      rule: the condition that `broken_rules` tests.

    Returns:
      A `dataclasses.Field`.
    """
    return dataclasses.field(default=default, metadata={"rule": rule})


def broken_rules(tree: Any, prefix: str = "") -> Iterator[tuple[str, Any, str]]:
    """Finds the fields of nested dataclasses that break their rules.

    Args:
      tree: a dataclass instance.
      prefix: text before each field name, such as "model.".

    Yields:
      (dotted field name, value, text of the rule).
    """
    for field in dataclasses.fields(tree):
        value, name = getattr(tree, field.name), f"{prefix}{field.name}"
        rule = field.metadata.get("rule") or _rule_of_type(field.type)
        if not rule.holds(value):
            yield name, value, rule.text
        elif dataclasses.is_dataclass(value):
            yield from broken_rules(value, f"{name}.")


def _rule_of_type(kind):
    """The rule of a field that declares only its type."""
    if kind in (int, float):  # the synthetic crowd checks its own numbers
        return Rule("a number", _is_number)
    if kind is bool:
        return Rule("True or False", lambda value: isinstance(value, bool))
    if kind is str:
        return Rule("a text", lambda value: isinstance(value, str | os.PathLike))
    parts = kind.__args__ if isinstance(kind, types.UnionType) else (kind,)
    if not all(isinstance(part, type) for part in parts):
        return Rule("anything", lambda value: True)  # of a class of the user's
    names = [part.__name__ for part in parts]
    return Rule(
        f"one of {', '.join(names)}" if names[1:] else f"a {names[0]}",
        lambda value: isinstance(value, kind),
    )


def whole(low: int, high: float = math.inf) -> Rule:
    """An int from `low` to `high`, both included."""
    text = f"at least {low}" if high == math.inf else f"{low} to {high}"
    return Rule(
        f"a whole number from {text}".replace("from at", "of at"),
        lambda value: _is_int(value) and low <= value <= high,
    )


def multiple_of(factor: int, low: int | None = None) -> Rule:
    """An int that is a multiple of `factor`, from `low` or `factor` on."""
    low = factor if low is None else low
    return Rule(
        f"a multiple of {factor} of at least {low}",
        lambda value: _is_int(value) and value >= low and value % factor == 0,
    )


def above(low: float) -> Rule:
    """A finite number greater than `low`."""
    return Rule(
        f"a number above {low:g}",
        lambda value: _is_number(value) and low < value < math.inf,
    )


def within(low: float, high: float) -> Rule:
    """A number greater than `low` and at most `high`."""
    return Rule(
        f"a number above {low:g} and at most {high:g}",
        lambda value: _is_number(value) and low < value <= high,
    )


def at_least(low: float) -> Rule:
    """A finite number of `low` or more."""
    return Rule(
        f"a number of at least {low:g}",
        lambda value: _is_number(value) and low <= value < math.inf,
    )


def fraction() -> Rule:
    """A number from 0 to less than 1."""
    return Rule(
        "a number from 0 to under 1",
        lambda value: _is_number(value) and 0 <= value < 1,
    )


def every(rule: Rule) -> Rule:
    """A tuple or list whose parts all meet a rule."""
    return Rule(
        f"a tuple, each part {rule.text}",
        lambda value: _is_tuple(value) and all(map(rule.holds, value)),
    )


def pairs(first: tuple[str, Rule], second: tuple[str, Rule]) -> Rule:
    """A tuple or list of pairs; (name, rule) of both."""
    (name, rule), (other_name, other) = first, second

    def is_pair(value):
        both = _is_tuple(value) and len(value) == 2
        return both and rule.holds(value[0]) and other.holds(value[1])

    return Rule(
        f"a tuple of pairs: {name}, {rule.text}, and {other_name}, {other.text}",
        lambda value: _is_tuple(value) and all(map(is_pair, value)),
    )


def ascending() -> Rule:
    """A tuple or list of ascending positive numbers, at least one."""

    def holds(value):
        numbers = _is_tuple(value) and value and all(map(_is_number, value))
        return numbers and all(a < b for a, b in itertools.pairwise([0, *value]))

    return Rule("a tuple of ascending numbers above 0", holds)


def one_of(*choices: str) -> Rule:
    """One of several strings."""
    return Rule(f"one of {', '.join(choices)}", lambda value: value in choices)


def import_path_or(*choices: str) -> Rule:
    """One of several strings, or the import path of an object."""
    texts = [choice or "empty" for choice in choices]
    return Rule(
        f"{', '.join(texts)} or {FORM}",
        lambda value: value in choices or is_import_path(value),
    )


def _is_int(value):
    return isinstance(value, int) and not isinstance(value, bool)


def _is_tuple(value):
    return isinstance(value, tuple | list)  # JSON has lists


def _is_number(value):
    return isinstance(value, int | float) and not isinstance(value, bool)
