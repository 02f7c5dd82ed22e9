"""Counts as people read them."""


def format_people(count: float) -> str:
    """Formats a count as whole people, never below zero.

    Args:
      count: people, the sum of a density map, which can be slightly negative.

    Example:
      >>> format_people(1437.7), format_people(-2.6)
      ('1,438', '0')
    """
    return f"{max(0, round(count)):,}"


def format_count(count: float, low: float | None, high: float | None) -> str:
    """Formats a count with its interval, if it has one.

    Args:
      count: people, the sum of a density map.
      low: people, the lower end of the interval, or None.
      high: people, the upper end of the interval, or None.

    Example:
      >>> format_count(1437.7, 1201.2, 1719.9), format_count(3.4, None, None)
      ('1,438 (1,201 to 1,720)', '3')
    """
    people = format_people(count)
    if low is None or high is None:
        return people
    return f"{people} ({format_people(low)} to {format_people(high)})"
