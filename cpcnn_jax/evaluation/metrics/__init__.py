"""Metrics of counts over all images, and of density maps image by image."""

from cpcnn_jax.evaluation.metrics.counts import mae, mae_per_level, nae, rmse
from cpcnn_jax.evaluation.metrics.localization import RADIUS, Localization, localize
from cpcnn_jax.evaluation.metrics.maps import game, game_of_maps, psnr, ssim

__all__ = [
    "mae",
    "rmse",
    "nae",
    "mae_per_level",
    "psnr",
    "ssim",
    "game",
    "game_of_maps",
    "RADIUS",
    "Localization",
    "localize",
]
