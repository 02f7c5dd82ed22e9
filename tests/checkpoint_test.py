import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cpcnn_jax import parallel
from cpcnn_jax.checkpoint import Checkpoints


def state(value):
    return {"step": jnp.int32(value), "params": {"a/b": jnp.full((300, 7), value)}}


def saved(folder, *steps):
    checkpoints = Checkpoints(folder, "density")
    for step in steps:
        checkpoints.save(step, state(float(step)))
    checkpoints.close()


def restored(folder):
    checkpoints = Checkpoints(folder, "density")
    found = checkpoints.restore(like=state(0.0))
    checkpoints.close()
    return found


def test_nothing_was_saved_yet(tmp_path):
    assert restored(tmp_path) is None


def test_the_last_of_two_kept_comes_back(tmp_path):
    saved(tmp_path, 1, 2, 3)
    step, found = restored(tmp_path)
    assert step == 3
    jax.tree.map(np.testing.assert_array_equal, found, state(3.0))
    kept = {path.name for path in (tmp_path / "checkpoints" / "density").iterdir()}
    assert kept == {"2", "3"}


def test_the_best_is_kept_beside_the_last_two_and_survives_a_restart(tmp_path):
    checkpoints = Checkpoints(tmp_path, "density")
    for step, score in enumerate((9.0, 4.0, 7.0, None, 5.0, None), start=1):
        checkpoints.save(step, state(float(step)), score)
    assert checkpoints.best(like=state(0.0))[0] == 2
    checkpoints.close()
    kept = {path.name for path in (tmp_path / "checkpoints" / "density").iterdir()}
    assert kept == {"2", "5", "6"}
    again = Checkpoints(tmp_path, "density")
    assert again.restore(like=state(0.0))[0] == 6
    again.save(7, state(7.0), 4.5)
    step, found = again.best(like=state(0.0))
    again.close()
    assert step == 2
    jax.tree.map(np.testing.assert_array_equal, found, state(2.0))


def test_without_scores_there_is_no_best(tmp_path):
    checkpoints = Checkpoints(tmp_path, "gce")
    checkpoints.save(1, state(1.0))
    assert checkpoints.best(like=state(0.0)) is None
    checkpoints.close()


def test_stages_have_their_own(tmp_path):
    saved(tmp_path, 1)
    other = Checkpoints(tmp_path, "gce")
    assert other.restore(like=state(0.0)) is None
    other.close()


def test_a_state_given_up_at_once_is_saved_as_it_was(tmp_path):
    """The step donates its state while the checkpoint is still being written."""
    strategy = parallel.jit_strategy()
    step = strategy.wrap(lambda s, b: (jax.tree.map(lambda x: x + 1, s), b.sum()))
    batch = strategy.place_batch(np.ones((8, 1), np.float32))
    now = strategy.place_state(state(0.0))
    checkpoints = Checkpoints(tmp_path, "density")
    for number in (1, 2, 3):
        now, _ = step(now, batch)
        checkpoints.save(number, now)
    for _ in range(3):
        now, _ = step(now, batch)
    number, found = checkpoints.restore(like=now)
    checkpoints.close()
    assert number == 3
    np.testing.assert_array_equal(found["params"]["a/b"], np.full((300, 7), 3.0))
    assert found["params"]["a/b"].sharding == now["params"]["a/b"].sharding


def test_a_half_written_one_is_not_restored(tmp_path):
    saved(tmp_path, 1)
    folder = tmp_path / "checkpoints" / "density"
    (folder / "2.orbax-checkpoint-tmp").mkdir()
    assert restored(tmp_path)[0] == 1


def test_a_checkpoint_that_cannot_be_written_is_one_sentence(tmp_path, monkeypatch):
    checkpoints = Checkpoints(tmp_path, "density")

    def full(*args, **kwargs):
        raise ValueError('RESOURCE_EXHAUSTED: "a/b": No space left on device [28]')

    monkeypatch.setattr(checkpoints._manager, "save", full)
    text = (
        f"^cannot write a checkpoint to {tmp_path}/checkpoints/density: No space left "
        r"on device \[28\]; what was saved before is kept$"
    )
    with pytest.raises(OSError, match=text):
        checkpoints.save(1, state(1.0))
    checkpoints.close()
