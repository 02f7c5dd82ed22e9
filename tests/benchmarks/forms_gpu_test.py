"""forms_gpu.py on a CPU: its contenders agree and are what they are called."""

import forms_gpu
import jax
import jax.numpy as jnp
import networks_gpu
import pytest
import torch_twins
from jax import lax

pytestmark = pytest.mark.quick_compile

FORMS = forms_gpu.forms(16, 24)
FLOAT32 = torch_twins.Place("cpu", "float32")
BFLOAT16 = torch_twins.Place("cpu", "bfloat16")


@pytest.mark.parametrize("name", FORMS)
def test_contenders_agree(name):
    calls = forms_gpu.contenders(FORMS[name], FLOAT32, batch=1)
    assert list(calls) == [forms_gpu.PLAIN, forms_gpu.OURS, forms_gpu.CPU_FORM]
    forms_gpu.agree(calls, torch_twins.tolerance(FLOAT32))
    value, gradients = calls[forms_gpu.OURS]()
    assert len(gradients) == (1 if FORMS[name].kernel is None else 2)
    for other in (1.1 * value, jnp.nan * value):
        calls["other"] = lambda other=other: (other, gradients)
        with pytest.raises(SystemExit, match="other differs from JAX"):
            forms_gpu.agree(calls, torch_twins.tolerance(FLOAT32))


@pytest.mark.parametrize("name", ["max_pool, 16", "folded_conv 9x9, 3 to 16"])
def test_contenders_agree_in_bfloat16(name):
    calls = forms_gpu.contenders(FORMS[name], BFLOAT16, batch=1)
    forms_gpu.agree(calls, torch_twins.tolerance(BFLOAT16))
    for leaf in jax.tree.leaves(calls[forms_gpu.CPU_FORM]()):
        assert leaf.dtype == jnp.bfloat16


def test_cpu_forms_are_traced_inside_only():
    form, choose = FORMS["max_pool, 16"], lax.platform_dependent
    x = jnp.zeros((1, 4, 4, 2))

    def primitives():
        text = str(jax.make_jaxpr(form.ours)(x))
        return "reduce_window" in text, "platform_index" in text

    assert all(primitives())
    with forms_gpu.cpu_forms():
        assert not any(primitives())
    assert all(primitives()) and lax.platform_dependent is choose


def test_ratios_are_to_the_operation_of_jax(monkeypatch):
    turns = {name: [2.0, 2.0] for name in (forms_gpu.OURS, forms_gpu.CPU_FORM)}
    turns[forms_gpu.PLAIN] = [4.0, 4.0]
    monkeypatch.setattr(forms_gpu.timing, "interleaved", lambda calls, rounds: turns)
    table = {"pool": forms_gpu.measured(FORMS["max_pool, 16"], FLOAT32, 2, 1)}
    # Ten computations a call.
    cell = "0.50 (0.50-0.50), 200 ms"
    line = f"| pool | 1.00 (1.00-1.00), 400 ms | {cell} | {cell} |"
    assert line in forms_gpu.markdown(table)


def test_interrupted_benchmark_leaves_what_it_has_measured(monkeypatch, tmp_path):
    def differing(tables):
        raise SystemExit("cpcnn_jax differs")

    def measured(tables):
        tables["speeds"]["float32"] = {"peaks": [2e3, 1e3], "bandwidths": [1.0, 2.0]}

    def interrupted(tables):
        raise KeyboardInterrupt

    steps = [("a", differing), ("b", measured), ("c", interrupted)]
    monkeypatch.setattr(networks_gpu, "measurements", lambda *args: steps)
    monkeypatch.setattr(torch_twins, "first_weights", dict)
    words = ["networks_gpu.py", "--device=cpu", f"--json={tmp_path / 'table.json'}"]
    monkeypatch.setattr("sys.argv", words)
    with pytest.raises(KeyboardInterrupt):
        networks_gpu.main()
    text = (tmp_path / "table.md").read_text()
    assert "float32: matrix product 2 TFLOP/s in JAX, 1 in PyTorch" in text
    assert "a: cpcnn_jax differs" in text
    assert '"a: cpcnn_jax differs"' in (tmp_path / "table.json").read_text()
