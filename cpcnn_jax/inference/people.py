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
