"""Programs that XLA compiles for an H200, where JAX has its CUDA build."""

import os
import subprocess
import sys
from pathlib import Path

import gpu_program
import pytest

ROOT = Path(__file__).parents[2]
PROGRAM = """HloModule m

%condition (p: (s32[])) -> pred[] {
  ROOT %less = pred[] compare(%p.1, %p.2), direction=LT
}

%step (p: (s32[], bf16[2,3])) -> (s32[], bf16[2,3]) {
  %p = (s32[], bf16[2,3]{1,0}) parameter(0)
  %x = bf16[2,3]{1,0} get-tuple-element(%p), index=1
  %images = u8[1000,3]{1,0} get-tuple-element(%p), index=2
  %crop = f32[4]{0} fusion(%images, %x), kind=kLoop, calls=%fused
  %y = (bf16[8], u8[0]) custom-call(%x, %crop), custom_call_target="__cudnn$conv"
  ROOT %result = (s32[], bf16[2,3]) tuple(%p, %x)
}
"""


def test_bytes_of_a_step_are_those_of_results_and_operands():
    crop, convolution = gpu_program.instructions(PROGRAM)
    assert crop == ("fusion", "", "f32[4]{0}", 16 + 12)
    assert convolution[1::2] == ("__cudnn$conv", 16 + 12 + 16)


def run(words):
    """Runs Python with benchmarks/gpu_compile.py; skips without the CUDA build."""
    pytest.importorskip("jax_plugins.xla_cuda12", exc_type=ImportError)
    environment = os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'benchmarks'}"}
    for name in ("XLA_FLAGS", "JAX_PLATFORMS", "JAX_NUM_CPU_DEVICES"):
        environment.pop(name, None)
    return subprocess.check_output(
        [sys.executable, *words], text=True, env=environment, cwd=ROOT
    )


LAYER = """
import gpu_compile, gpu_program, jax, jax.numpy as jnp
from cpcnn_jax import fractionally_strided_conv as t
layers = dict(
    groups=dict(feature_group_count=4), dilation=dict(kernel_dilation=2), plain={},
    literal=dict(lowering="zero_insertion"),
)
for name, options in layers.items():
    x = jnp.ones((8, 16, 16, 16), jnp.bfloat16)
    kernel = jnp.ones((4, 4, 16 // options.get("feature_group_count", 1), 16), x.dtype)
    f = lambda x, kernel: t(x, kernel, **{"lowering": "auto"} | options)
    program, _ = gpu_compile.compile_for(gpu_compile.make_mesh(1), f, x, kernel)
    found = gpu_program.instructions(program.as_text())
    print(name, *(i.target for i in found if i.target), sum(i.bytes for i in found))
"""


@pytest.mark.long
def test_t_inserts_no_zeros_on_a_gpu():
    lines = dict(line.split(" ", 1) for line in run(["-c", LAYER]).splitlines())
    calls, bytes_ = zip(*(line.rsplit(" ", 1) for line in lines.values()), strict=True)
    assert dict(zip(lines, calls, strict=True)) == {
        "groups": "__cudnn$convForward",
        "dilation": "__cudnn$convForward",
        "plain": "__cudnn$convBackwardInput",
        "literal": "__cudnn$convForward",
    }
    literal, plain = int(bytes_[-1]), int(bytes_[-2])
    assert plain < 0.5 * literal


@pytest.mark.long
def test_stages_compute_in_bfloat16_and_devices_exchange_sums_only(tmp_path):
    words = ["benchmarks/gpu_compile.py", f"--out={tmp_path}", "--devices=8"]
    words += ["--config=benchmarks/synthetic_experiment.py"]
    table = run([*words, "--config.data.num_train=8"]).splitlines()[-4:]
    cells = [[cell.strip() for cell in row.split("|")[1:-1]] for row in table]
    assert [row[0] for row in cells] == ["gce", "lce", "density", "adversary"]
    assert all(row[5].split()[1:] == ["all-reduce"] for row in cells)
    for file in tmp_path.glob("*.hlo"):
        found = gpu_program.instructions(file.read_text())
        convolutions = [i.shape for i in found if i.target.startswith("__cudnn")]
        assert convolutions and all(x.startswith("(bf16") for x in convolutions)
