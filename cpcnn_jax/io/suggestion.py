"""Suggestion of a known word in place of a misspelled one."""

import difflib
from collections.abc import Iterable


def suggest(word: str, known: Iterable[str]) -> str:
    """Formats the most similar known word as the end of a sentence.

    Args:
      word: the word of the user.
      known: the words that are possible.

    Returns:
      Text such as ", did you mean count?"; "" if no word is similar.

    Example:
      >>> suggest("cuont", ["count", "serve"])
      ', did you mean count?'
      >>> suggest("xyz", ["count", "serve"])
      ''
    """
    close = difflib.get_close_matches(word, list(known), n=1)
    return f", did you mean {close[0]}?" if close else ""
