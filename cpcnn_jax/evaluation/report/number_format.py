"""Numbers of a run's files: told from what is none, and written for a reader."""

import math


def finite(value):
    """A number, or None for whatever is not one.

    Args:
      value: what a JSON or CSV file holds: a number, its digits, or anything else.

    Returns:
      A finite float, or None.

    Example:
      >>> [finite(v) for v in (3, "2.5", "", None, True, float("nan"), [1])]
      [3.0, 2.5, None, None, None, None, None]
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def text(value, digits=1):
    """A number with its thousands apart, or a dash where there is none.

    Example:
      >>> text(1234.56), text(None), text(46.0, 0), text(-0.04)
      ('1,234.6', '–', '46', '0.0')
    """
    number = finite(value)
    if number is None:
        return "–"
    return f"{round(number, digits) + 0.0:,.{digits}f}"


def signed(value, digits=1):
    """`text` with its sign, as a minus or a plus.

    Example:
      >>> signed(-31.32), signed(4), signed(0.01), signed(None)
      ('−31.3', '+4.0', '0.0', '–')
    """
    number = finite(value)
    shown = text(None if number is None else abs(number), digits)
    if number is None or not round(number, digits):
        return shown
    return ("−" if number < 0 else "+") + shown


def people(value):
    """A count: whole where it is whole.

    Example:
      >>> people(46.0), people(1240.25)
      ('46', '1,240.2')
    """
    return text(value, 0 if float(value).is_integer() else 1)
