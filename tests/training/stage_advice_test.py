"""Errors of a device while a stage runs."""

import jax.numpy as jnp
import pytest

from cpcnn_jax.training import stage_advice


class Stage:
    name = "density"


def test_a_device_without_memory_is_a_sentence_with_what_to_lower():
    text = (
        "^stage density: the device is out of memory: lower "
        "--config.density.batch_size or --config.image_memory_gib, or raise "
        "--config.density.accum_steps$"
    )
    with pytest.raises(ValueError, match=text):
        with stage_advice.advice_on_memory(Stage):
            jnp.zeros(2**46).block_until_ready()
