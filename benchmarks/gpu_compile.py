"""Compiles the training stages for H200s on a machine that has no GPU.

    python benchmarks/gpu_compile.py --config=EXPERIMENT [--config.FIELD=VALUE]
        [--devices=N] [--out=DIR]

Needs the CUDA build of JAX (`pip install 'jax[cuda12]'`), and no GPU: XLA gets the
description of one. The programs are those of the training: 50 steps a call, with crops
from images in device memory, gradients and optimizer. On a GPU XLA also tries out
algorithms, which takes further time.

The table has a row for each stage: seconds of tracing and of compilation, size of the
compiled program (a start with a warm cache traces, and reads it), the calls of cuDNN,
the exchanges between devices by kind, memory of a device beside the arguments, and of
one step of a device the bytes that its instructions read and write, and the model
FLOPs. The next column adds their times at the maker's rates, without that of exchanges,
and the last one has the images of a device at this time. A real step takes longer.
--out keeps the programs as text.
"""

import argparse
import os
import time
from collections import Counter
from pathlib import Path
from typing import Any

os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("JAX_SKIP_CUDA_CONSTRAINTS_CHECK", "1")  # it asks for a GPU
os.environ.setdefault("XLA_FLAGS", "--xla_gpu_autotune_level=0")

import gpu_program
import gpu_tables
import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import topologies
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from cpcnn_jax.cli.train_flags import CommandLine
from cpcnn_jax.data import crops
from cpcnn_jax.data.experiment_splits import open_splits
from cpcnn_jax.data.training_images import prepare_images
from cpcnn_jax.distributed import data_parallel
from cpcnn_jax.models import networks
from cpcnn_jax.training import crop_scores, step_loop, train
from cpcnn_jax.training.init import params as init_params
from cpcnn_jax.training.stage import StageContext

PEAK = 989e12  # FLOPs a second in bfloat16, of an H200 by its maker
BANDWIDTH = 4.8e12  # bytes a second
H200 = """
gpu_device_info {
  threads_per_block_limit: 1024 threads_per_warp: 32 shared_memory_per_block: 49152
  shared_memory_per_core: 233472 threads_per_core_limit: 2048 core_count: 132
  fpus_per_core: 128 block_dim_limit_x: 2147483647 block_dim_limit_y: 65535
  block_dim_limit_z: 65535 memory_bandwidth: 4800000000000 l2_cache_size: 62914560
  clock_rate_ghz: 1.98 device_memory_size: 151000000000
  shared_memory_per_block_optin: 232448 cuda_compute_capability { major: 9 minor: 0 }
  registers_per_core_limit: 65536 registers_per_block_limit: 65536
}
platform_name: "CUDA" device_description_str: "NVIDIA H200"
dnn_version_info { major: 9 minor: 8 } runtime_version { major: 12 minor: 9 patch: 0 }
"""


def make_mesh(devices: int) -> Mesh:
    """Describes H200s of one host to XLA, with the axis "batch".

    Raises:
      NotImplementedError: JAX has no CUDA build.
    """
    topology = topologies.get_topology_desc(
        platform="cuda", topology=f"1x1x{devices}", target_config=H200
    )
    return Mesh(np.array(topology.devices), ("batch",))


def compile_for(
    mesh: Mesh, function: Any, *args: Any, split: int | None = None
) -> tuple[Any, list[float]]:
    """Compiles a function for a mesh, from the shapes of its arguments.

    Args:
      mesh: from `make_mesh`.
      function: the function.
      *args: its arguments, replicated.
      split: number of the argument whose second axis is divided over the devices.

    Returns:
      The program, and the seconds of tracing and of compilation.
    """

    def place(number, arg):
        spec = PartitionSpec(None, "batch") if number == split else PartitionSpec()
        sharding = NamedSharding(mesh, spec)

        def shape(x):
            kind = jnp.shape(x), jnp.result_type(x)
            return jax.ShapeDtypeStruct(*kind, sharding=sharding)

        return jax.tree.map(shape, arg)

    placed = [place(number, arg) for number, arg in enumerate(args)]
    replicated = NamedSharding(mesh, PartitionSpec())
    began = time.monotonic()
    jitted = jax.jit(function, out_shardings=replicated, donate_argnums=0)
    traced = jitted.lower(*placed)
    middle = time.monotonic()
    program = traced.compile()
    return program, [middle - began, time.monotonic() - middle]


def stages(experiment: Any) -> dict[str, tuple]:
    """Builds the stages of an experiment.

    Args:
      experiment: of `config.Experiment`; files of weights are not read.

    Returns:
      For each name the function of `step_loop.make_steps`, its arguments, the batch
      size and the model FLOPs of an example.
    """
    for name in ("gce", "joint"):
        getattr(experiment, name).pretrained_vgg16 = ""
    images = prepare_images(open_splits(experiment, "validation").train, experiment)
    context = StageContext(experiment, networks.build(experiment.model), images, None)
    context = context._replace(crop_scores=zero_scores(context))
    params = init_params.initial_params(context.model, experiment)
    most, result = step_loop.ACCELERATOR, {}
    for name, build in train.plan_stages(context).items():
        stage = build(context, params)
        size = getattr(experiment, name).batch_size
        examples = jax.ShapeDtypeStruct((most, size, 2), jnp.int32)
        steps = step_loop.make_steps(stage.step, stage.batch, most)
        args = stage.state, stage.data(0, lambda: False), examples, jnp.int32(most)
        result[name] = steps, args, size, train.example_flops(context, name)
    return result


def zero_scores(context: StageContext) -> Any:
    """Makes scores of crops of their true shapes, without computing them."""
    images = context.images
    number = images.size.images, crops.crops_per_image(context.config.crops)
    pixels = jax.ShapeDtypeStruct((images.size.pixels, 3), jnp.uint8)
    bank = images.heads()._replace(pixels=pixels)

    def score(params, bank, pairs):
        batch = images.crop_batch(bank, pairs)
        return crop_scores.score_crops(context.model, params, batch)

    def scores(params, used):
        pairs = jax.ShapeDtypeStruct((1, 2), jnp.int32)
        shapes = jax.eval_shape(score, params, bank, pairs)
        zeros = {n: jnp.zeros(number + x.shape[1:], x.dtype) for n, x in shapes.items()}
        return [zeros for _ in images.groups]

    return scores


def row(program: Any, seconds: list[float], size: float, flops: int) -> list[str]:
    """Formats the cells of a stage after its name.

    Args:
      program: from `compile_for`.
      seconds: from `compile_for`.
      size: examples of a device.
      flops: model FLOPs of an example.
    """
    instructions = gpu_program.instructions(program.as_text())
    calls = sum(x.target.startswith("__cudnn") for x in instructions)
    exchanges = Counter(x.kind for x in instructions if x.kind in gpu_program.EXCHANGES)
    moved = sum(x.bytes for x in instructions)
    ideal = moved / BANDWIDTH + size * flops / PEAK  # seconds
    return [
        *(f"{value:.1f}" for value in seconds),
        f"{len(program.runtime_executable().serialize()) / 1e6:.1f}",
        str(calls),
        ", ".join(f"{number} {kind}" for kind, number in exchanges.items()),
        f"{program.memory_analysis().temp_size_in_bytes / 2**30:.2f}",
        f"{moved / 1e9:.1f}",
        f"{size * flops / 1e12:.2f}",
        f"{1e3 * ideal:.2f}",
        f"{size / ideal:,.0f}",
    ]


def _prepare(parser, devices, words):
    """Makes the mesh and builds the stages, or exits with an error's text."""
    try:
        mesh = make_mesh(devices)
        experiment = CommandLine((parser.prog,), tuple(words)).experiment()
        if experiment is None:
            raise ValueError("--config is missing")
        for name, stage in experiment.stages().items():
            data_parallel.check_batch(stage.batch_size, devices, name=name)
        built = stages(experiment)
    except NotImplementedError:
        parser.error("needs the CUDA build of JAX: pip install 'jax[cuda12]'")
    except (ValueError, OSError) as error:
        parser.error(str(error))
    return mesh, built


def main() -> None:
    """Compiles the stages and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--devices", type=int, default=1, help="H200s of one host")
    parser.add_argument("--out", type=Path, help="folder of the compiled programs")
    flags, words = parser.parse_known_args()
    mesh, built = _prepare(parser, flags.devices, words)
    head = "stage,tracing s,compilation s,program MB,cuDNN calls,exchanges,memory GiB"
    rates = "GB a step,TFLOP a step,ms at these rates,images/s of a device"
    rows = [[*head.split(","), *rates.split(",")]]
    for name, (steps, args, size, flops) in built.items():
        program, seconds = compile_for(mesh, steps, *args, split=2)
        rows.append([name, *row(program, seconds, size / flags.devices, flops)])
        if flags.out:
            flags.out.mkdir(parents=True, exist_ok=True)
            (flags.out / f"{name}.hlo").write_text(program.as_text())
    print(gpu_tables.markdown(rows))


if __name__ == "__main__":
    main()
