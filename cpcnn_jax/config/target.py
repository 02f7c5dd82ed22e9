"""The target density maps of head points: the width of a head's Gaussian."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cpcnn_jax.config.rules import above, one_of, setting

SIGMA_MODES = ("fixed", "adaptive", "perspective")


@dataclass
class Target:
    """Target density maps of head points."""

    # Width of a head's Gaussian. "fixed": `sigma`. "adaptive": 0.3 times the mean
    # distance to the three nearest heads (MCNN). "perspective": `sigma_metres` in the
    # image's perspective map.
    sigma_mode: str = setting("fixed", one_of(*SIGMA_MODES))
    # Pixels, for "fixed". The author's code has a 15x15 window with sigma 4.
    sigma: float = setting(4.0, above(0))
    # Metres, for "perspective" [R]: Zhang et al., CVPR 2015, use 0.2 times the pixels
    # per metre for a head. Their ellipse for the body is left out, as in MCNN [R].
    sigma_metres: float = setting(0.2, above(0))

    def sigma_of(self, record: Mapping[str, Any]) -> Any:
        """Computes the `sigma` argument of `density_map` for one image.

        Args:
          record: a record of a data set; see `cpcnn_jax.data`.

        Returns:
          Pixels, "adaptive", or `[H, W]` pixels for a head at each pixel.

        Raises:
          ValueError: the mode is unknown, or "perspective" meets a record without a
            perspective map.
        """
        match self.sigma_mode:
            case "fixed":
                return self.sigma
            case "adaptive":
                return "adaptive"
            case "perspective":
                return self.sigma_metres * _perspective_map(record)
        raise ValueError(
            f"no sigma_mode {self.sigma_mode!r}: use one of {', '.join(SIGMA_MODES)}"
        )


def _perspective_map(record):
    perspective = record.get("perspective")
    if perspective is None or not perspective.size:
        raise ValueError(
            f"{record['name']} has no perspective map, which "
            "--config.target.sigma_mode=perspective needs: use fixed or adaptive"
        )
    return perspective
