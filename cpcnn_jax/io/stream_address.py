"""Addresses of streams and cameras, which are shown without their credentials."""

import re

from cpcnn_jax.io.suggestion import suggest

SCHEMES = ("rtsp", "rtsps", "http", "https")
CAMERA = "camera:"
HIDDEN = "***"
_URL = re.compile(r"\b[a-z][a-z0-9+.-]*://[^\s'\"]+", re.IGNORECASE)
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]+)://", re.IGNORECASE)


class StreamAddress(str):
    """The URL of a stream, or a camera; as a text it has no credentials.

    Attributes:
      url: the address as given. It is for opening only, never for a message or a file.

    Example:
      >>> StreamAddress("rtsp://me:secret@door.local/1?key=7")
      'rtsp://***@door.local/1?***'
    """

    url: str

    def __new__(cls, url: str) -> "StreamAddress":
        """Makes the text without credentials, and keeps the address."""
        address = super().__new__(cls, hide_credentials(url))
        address.url = url
        return address

    @property
    def is_camera(self) -> bool:
        """Whether it is a camera of this machine."""
        return self.url.lower().startswith(CAMERA)

    @property
    def path(self) -> str:
        """Relative path for results, of host and path, in plain characters.

        Example:
          >>> StreamAddress("http://me:secret@films.org:80/a/march.mp4?key=7").path
          'films.org_80/a/march.mp4'
        """
        text = self.removesuffix(f"?{HIDDEN}").partition("://")[2] or self
        names = re.sub(r"[^\w./-]", "_", text.rpartition("@")[2]).split("/")
        return "/".join(n for name in names if (n := name.lstrip("."))) or "stream"


def is_address(argument: str) -> bool:
    """Tests whether an argument is a stream or a camera.

    Example:
      >>> [is_address(a) for a in ("RTSP://door/1", "camera:0", "http.jpg", "C:\\\\a")]
      [True, True, False, False]
    """
    if match := _SCHEME.match(argument):
        return match[1].lower() in SCHEMES
    return argument.lower().startswith(CAMERA)


def check_scheme(argument: str) -> None:
    """Raises ValueError for a URL of a scheme that streams do not have."""
    match = _SCHEME.match(argument)
    if match and (scheme := match[1].lower()) not in SCHEMES:
        known = ", ".join(f"{name}://" for name in SCHEMES)
        raise ValueError(
            f"{hide_credentials(argument)} begins with none of {known}"
            + suggest(scheme, SCHEMES)
        )


def hide_credentials(text: str) -> str:
    """Replaces what may be secret in the URLs of a text.

    These are user and password, up to the last "@"; the query; and what follows a "="
    in a path, where some cameras have their password.

    Example:
      >>> hide_credentials("no answer of http://me:a/b@c@cam/user=me/7.mp4?pwd=1 yet")
      'no answer of http://***@cam/user=***/7.mp4?*** yet'
    """
    return _URL.sub(lambda match: _hide_in_url(match[0]), text)


def _hide_in_url(url):
    scheme, _, rest = url.partition("://")
    host = re.split(r"[/?#]", rest)[0]
    if (":" in host or "@" in host) and "@" in rest:  # a password may have a / or @
        rest = f"{HIDDEN}@{rest.rpartition('@')[2]}"
    path, mark, _ = re.sub(r"[?#].*", "?", rest).partition("?")
    path = re.sub(r"=[^/]*", f"={HIDDEN}", path)
    return f"{scheme}://{path}" + (f"?{HIDDEN}" if mark else "")
