"""What the server takes on."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Limits:
    """The server's limits."""

    places: int = 32  # requests that are counted or wait
    seconds: float = 60.0  # from a request's first line to its answer
    body: int = 32 * 2**20  # bytes
    max_size: int | None = None  # pixels; longer photographs are shrunk first
