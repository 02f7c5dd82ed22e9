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
    ends = format_interval(low, high)
    return f"{format_people(count)} ({ends})" if ends else format_people(count)


def format_interval(low: float | None, high: float | None) -> str:
    """Formats the ends of an interval in people; "" without one.

    Example:
      >>> format_interval(1201.2, 1719.9), format_interval(None, None)
      ('1,201 to 1,720', '')
    """
    if low is None or high is None:
        return ""
    return f"{format_people(low)} to {format_people(high)}"
