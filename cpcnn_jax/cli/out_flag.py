"""Check of flags that name a file to write, as several commands have them."""

from pathlib import Path


def check_out(flag: str, file: str) -> None:
    """Checks that a file can lie there, before it is computed.

    Args:
      flag: name of the flag, such as "--out".
      file: its value.

    Raises:
      ValueError: the folder is missing, or the file is a folder.
    """
    if not Path(file).parent.is_dir():
        raise ValueError(f"{flag}={file}: there is no folder {Path(file).parent}")
    if Path(file).is_dir():
        raise ValueError(f"{flag}={file} is a folder: name a file in it")
