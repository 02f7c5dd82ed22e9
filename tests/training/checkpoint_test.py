import logging
import os
import re
import subprocess

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cpcnn_jax.distributed import data_parallel
from cpcnn_jax.training.checkpoint import Checkpoints


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


def test_restore_without_checkpoints_returns_none(tmp_path):
    assert restored(tmp_path) is None


def test_the_latest_of_two_checkpoints_is_restored(tmp_path):
    saved(tmp_path, 1, 2, 3)
    step, found = restored(tmp_path)
    assert step == 3
    jax.tree.map(np.testing.assert_array_equal, found, state(3.0))
    kept = {path.name for path in (tmp_path / "checkpoints" / "density").iterdir()}
    assert kept == {"2", "3"}


def test_the_best_checkpoint_is_kept_beside_the_last_two(tmp_path):
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


def test_stages_have_their_own_checkpoints(tmp_path):
    saved(tmp_path, 1)
    other = Checkpoints(tmp_path, "gce")
    assert other.restore(like=state(0.0)) is None
    other.close()


def test_a_state_donated_after_save_is_saved_unchanged(tmp_path):
    """The step donates its state while the checkpoint is still being written."""
    strategy = data_parallel.jit_strategy()
    wrapped = strategy.wrap(
        lambda s, data, b, n: (jax.tree.map(lambda x: x + data, s), b.sum())
    )
    batch = strategy.place_examples(np.ones((1, 8, 2), np.float32))

    def step(now):
        return wrapped(now, np.float32(1), batch, np.int32(1))

    now = strategy.place_state(state(0.0))
    checkpoints = Checkpoints(tmp_path, "density")
    for number in (1, 2, 3):
        now, _ = step(now)
        checkpoints.save(number, now)
    for _ in range(3):
        now, _ = step(now)
    number, found = checkpoints.restore(like=now)
    checkpoints.close()
    assert number == 3
    np.testing.assert_array_equal(found["params"]["a/b"], np.full((300, 7), 3.0))
    assert found["params"]["a/b"].sharding == now["params"]["a/b"].sharding


def test_an_incomplete_checkpoint_is_not_restored(tmp_path):
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
        r"on device \[28\]; earlier checkpoints are kept$"
    )
    with pytest.raises(OSError, match=text):
        checkpoints.save(1, state(1.0))
    checkpoints.close()


# --- damage


def files(tmp_path, step):
    """Files of a checkpoint that hold or describe arrays, by kind."""
    folder = tmp_path / "checkpoints" / "density" / str(step)
    found = [path for path in folder.rglob("*") if path.is_file()]
    kinds = {"_METADATA": [], "manifest.ocdbt": [], "d": []}
    for path in found:
        kind = path.parent.name if path.parent.name in kinds else path.name
        kinds.get(kind, []).append(path)
    return kinds


def flip(path):
    """Flips one bit in the middle of a file."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x10
    path.write_bytes(bytes(content))


DAMAGES = {
    "cut": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "garbage": lambda path: path.write_bytes(bytes(range(256)) * 8),
    "missing": lambda path: path.unlink(),
    "flipped": flip,
}


# Of several reads that fail, Orbax awaits the first and closes its event loop.
OTHERS_FAIL = pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning"
)


@OTHERS_FAIL
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_latest_checkpoint_falls_back(tmp_path, damage, caplog):
    saved(tmp_path, 1, 2, 3)
    for path in files(tmp_path, 3)["d"]:
        DAMAGES[damage](path)
    with caplog.at_level(logging.WARNING):
        step, found = restored(tmp_path)
    assert step == 2
    jax.tree.map(np.testing.assert_array_equal, found, state(2.0))
    folder = tmp_path / "checkpoints" / "density"
    said = rf"checkpoint {folder}/3 is damaged \(.+\) and was renamed to 3.damaged: res"
    assert any(re.match(said, record.getMessage()) for record in caplog.records)
    saved(tmp_path, 3)  # the step is done again
    assert restored(tmp_path)[0] == 3
    assert {path.name for path in folder.iterdir()} == {"2", "3", "3.damaged"}


@OTHERS_FAIL
def test_damage_to_any_file_never_changes_restored_values(tmp_path):
    """Damage to files that Orbax does not need changes nothing."""
    saved(tmp_path, 1, 2)
    for kind, paths in files(tmp_path, 2).items():
        assert paths, kind
        for path in paths:
            whole = path.read_bytes()
            DAMAGES["garbage"](path)
            step, found = restored(tmp_path)
            assert step in (1, 2)
            jax.tree.map(np.testing.assert_array_equal, found, state(float(step)))
            aside = tmp_path / "checkpoints" / "density" / "2.damaged"
            if aside.exists():
                aside.rename(aside.with_name("2"))
            path.write_bytes(whole)
    assert restored(tmp_path)[0] == 2


@OTHERS_FAIL
def test_if_all_checkpoints_are_damaged_none_is_changed(tmp_path):
    saved(tmp_path, 1, 2)
    for step in (1, 2):
        for path in files(tmp_path, step)["d"]:
            flip(path)
    folder = tmp_path / "checkpoints" / "density"
    text = rf"^every checkpoint in {folder} is damaged \(.+\): remove that folder"
    with pytest.raises(ValueError, match=text):
        restored(tmp_path)
    assert {path.name for path in folder.iterdir()} == {"1", "2"}


@OTHERS_FAIL
def test_a_damaged_best_checkpoint_is_not_used(tmp_path):
    checkpoints = Checkpoints(tmp_path, "density")
    for step, score in enumerate((4.0, 9.0, 5.0), start=1):
        checkpoints.save(step, state(float(step)), score)
    assert checkpoints.best(like=state(0.0))[0] == 1
    for path in files(tmp_path, 1)["d"]:
        flip(path)
    step, found = checkpoints.best(like=state(0.0))
    checkpoints.close()
    assert step == 3
    jax.tree.map(np.testing.assert_array_equal, found, state(3.0))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_state_that_is_not_finite_is_not_written(tmp_path, value):
    checkpoints = Checkpoints(tmp_path, "density")
    checkpoints.save(1, state(1.0))
    ruined = state(2.0)
    ruined["params"]["a/b"] = ruined["params"]["a/b"].at[7, 3].set(value)
    text = r"^stage density, step 2: \['params'\]\['a/b'\] is not finite$"
    with pytest.raises(FloatingPointError, match=text):
        checkpoints.save(2, ruined)
    assert checkpoints.latest() == 1
    checkpoints.close()
    assert restored(tmp_path)[0] == 1


# --- strangers and small disks


@pytest.mark.parametrize("inside", ["1", "1/default/d", "1/default/_METADATA", ""])
def test_links_are_refused_before_anything_is_read(tmp_path, inside):
    """google/flax issue 5487: a link in a foreign checkpoint reads any file."""
    saved(tmp_path / "run", 1)
    place = tmp_path / "run" / "checkpoints" / "density" / inside
    elsewhere = place.rename(tmp_path / "elsewhere")
    place.symlink_to(elsewhere)
    text = f"^{re.escape(str(place))} is a link, which checkpoints must not hold"
    with pytest.raises(ValueError, match=text):
        Checkpoints(tmp_path / "run", "density")


def test_the_workdir_itself_may_be_a_link(tmp_path):
    saved(tmp_path / "run", 1)
    (tmp_path / "link").symlink_to(tmp_path / "run")
    assert restored(tmp_path / "link")[0] == 1


@OTHERS_FAIL
@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small disk")
def test_a_full_disk_keeps_the_last_good_checkpoint(tmp_path):
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(tmp_path)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("no small disk can be mounted here")
    try:
        large = np.random.default_rng(0).random(400_000)  # 1.6 MB in float32
        saved(tmp_path, 1)
        checkpoints = Checkpoints(tmp_path, "density")
        with pytest.raises(
            OSError, match="No space left .* earlier checkpoints are kept$"
        ):
            checkpoints.save(2, {**state(2.0), "more": jnp.asarray(large)})
            checkpoints.save(3, {**state(3.0), "more": jnp.asarray(large)})
            checkpoints.close()
        step, found = restored(tmp_path)
        assert step == 1
        jax.tree.map(np.testing.assert_array_equal, found, state(1.0))
    finally:
        subprocess.run(["umount", "--lazy", str(tmp_path)], check=True)
