"""Numbers of a run's files, parsed and formatted."""

import math
from typing import Any


def parse_finite(value: Any) -> float | None:
    """Parses a finite number of a JSON or CSV file; None for every other value.

    Example:
      >>> [parse_finite(v) for v in (3, "2.5", "", None, True, float("nan"), [1])]
      [3.0, 2.5, None, None, None, None, None]
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def format_number(value: Any, digits: int = 1) -> str:
    """Formats a number with thousands separators, or a dash for no number.

    Example:
      >>> format_number(1234.56), format_number(None), format_number(-0.04)
      ('1,234.6', '–', '0.0')
    """
    number = parse_finite(value)
    return "–" if number is None else f"{round(number, digits) + 0.0:,.{digits}f}"


def format_signed(value: Any) -> str:
    """Formats a number with a plus or minus sign and one decimal.

    Example:
      >>> [format_signed(v) for v in (-31.32, 4, 0.01, None)]
      ['−31.3', '+4.0', '0.0', '–']
    """
    number = parse_finite(value)
    if number is None or not round(number, 1):
        return format_number(number)
    return ("−" if number < 0 else "+") + format_number(abs(number))


def format_count(value: float) -> str:
    """Formats a count, without decimals if it is a whole number.

    Example:
      >>> format_count(46.0), format_count(1240.25)
      ('46', '1,240.2')
    """
    return format_number(value, 0 if float(value).is_integer() else 1)
