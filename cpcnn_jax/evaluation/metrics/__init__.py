"""Scores: of counts over all photographs, of maps photograph by photograph."""

from cpcnn_jax.evaluation.metrics.counts import mae, mae_per_level, nae, rmse
from cpcnn_jax.evaluation.metrics.maps import game, game_of_maps, psnr, ssim

__all__ = [
    # of counts
    "mae",
    "rmse",
    "nae",
    "mae_per_level",
    # of maps
    "psnr",
    "ssim",
    "game",
    "game_of_maps",
]
