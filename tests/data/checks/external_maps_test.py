"""Density maps and head points in other projects' formats; damaged files."""

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from cpcnn_jax.data.checks import external_maps

h5py = pytest.importorskip("h5py")
MAP = np.arange(12, dtype=np.float32).reshape(3, 4) / 7
POINTS = np.array([[3.5, 2], [0, 1.25]])


def write_h5(path, **arrays):
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            file[name] = array
    return path


def write_csv(path, array):
    np.savetxt(path, array, delimiter=",", fmt="%.9g")
    return path


def write_npy(path, array):
    np.save(path, array)
    return path


def test_maps_are_read_unchanged(tmp_path):
    written = [
        write_h5(tmp_path / "a.h5", density=MAP, other=POINTS),
        write_h5(tmp_path / "b.H5", map=MAP),
        write_npy(tmp_path / "a.npy", MAP),
        write_npy(tmp_path / "b.npy", MAP[None, ..., None]),
        write_npy(tmp_path / "c.npy", np.asfortranarray(MAP)),
        write_csv(tmp_path / "a.csv", MAP),
    ]
    for path in written:
        people = external_maps.read_map(path)
        assert people.dtype == np.float64
        np.testing.assert_allclose(people, MAP, rtol=1e-7)


def test_maps_of_a_folder_are_listed_once_and_without_hidden_files(tmp_path):
    (tmp_path / "deep").mkdir()
    for name in ("IMG_10.npy", "IMG_2.NPY", "deep/IMG_1.npy", "._IMG_2.npy", "a.txt"):
        (tmp_path / name).touch()
    (tmp_path / "round").symlink_to(tmp_path)
    found = [p.relative_to(tmp_path) for p in external_maps.find_maps([tmp_path])]
    assert [*map(str, found)] == ["IMG_2.NPY", "IMG_10.npy", "deep/IMG_1.npy"]


def image_info(points):
    """The struct of a GT_IMG_n.mat with MATLAB's nesting."""
    location = np.empty((1, 1), [("location", object), ("number", object)])
    location[0, 0] = (points, len(points))
    info = np.empty((1, 1), object)
    info[0, 0] = location
    return info


def write_mat(path, **variables):
    savemat(path, variables)
    return path


def test_points_are_read_in_every_layout(tmp_path):
    text = "3.5,2\n0,1.25\n"
    (tmp_path / "a.csv").write_text(text)
    (tmp_path / "b.csv").write_text("X,Y\n" + text)
    written = [
        write_mat(tmp_path / "a.mat", image_info=image_info(POINTS)),
        write_mat(tmp_path / "b.mat", annPoints=POINTS),
        write_mat(tmp_path / "c.mat", point_position=POINTS, point_num=2),
        write_npy(tmp_path / "a.npy", POINTS.astype(np.float32)),
        *(tmp_path / "a.csv", tmp_path / "b.csv"),
    ]
    for path in written:
        np.testing.assert_array_equal(external_maps.read_heads(path), POINTS)


def test_empty_point_files_have_no_heads(tmp_path):
    for name, text in (("a.csv", ""), ("b.csv", "x,y\n"), ("c.csv", "x,y")):
        (tmp_path / name).write_text(text)
    write_npy(tmp_path / "a.npy", np.zeros((0, 2)))
    write_mat(tmp_path / "a.mat", annPoints=np.zeros((0, 0)))
    for path in tmp_path.iterdir():
        assert external_maps.read_heads(path).shape == (0, 2)


def read_error(read, path):
    with pytest.raises(ValueError) as error:
        read(path)
    text = str(error.value)
    assert text.startswith(str(path))
    return text.removeprefix(str(path))


def test_file_without_a_map_raises_value_error(tmp_path):
    path = write_npy(tmp_path / "a.npy", np.zeros((2, 3, 4)))
    assert read_error(external_maps.read_map, path) == (
        " holds no density map: expected numbers [h, w], got float64 (2, 3, 4)"
    )
    for array in (np.zeros(3), np.zeros((0, 3)), MAP + 1j, np.array([["a", "b"]])):
        assert "holds no density map" in read_error(
            external_maps.read_map, write_npy(path, array)
        )
    assert "expected .h5, .npy, .csv" in read_error(
        external_maps.read_map, tmp_path / "a.png"
    )
    path = write_h5(tmp_path / "a.h5", one=MAP, two=MAP)
    assert read_error(external_maps.read_map, path) == (
        " has no array 'density', but ['one', 'two']"
    )


def test_file_without_points_raises_value_error(tmp_path):
    path = write_npy(tmp_path / "a.npy", np.zeros((2, 3)))
    assert read_error(external_maps.read_heads, path) == (
        " holds no head points: expected numbers [N, 2] as (x, y), got float64 (2, 3)"
    )
    assert "expected .mat, .npy, .csv" in read_error(
        external_maps.read_heads, tmp_path / "a.txt"
    )
    path = write_mat(tmp_path / "a.mat", other=POINTS)
    expected = "expected a MATLAB file with image_info, annPoints or point_position"
    assert expected in read_error(external_maps.read_heads, path)


@pytest.mark.parametrize("suffix", external_maps.KINDS)
def test_damaged_map_is_named_in_the_error(suffix, tmp_path):
    path = tmp_path / f"a{suffix}"
    for content in (b"", b"no numbers", b"\x93NUMPY\x01\x00v\x00{'descr'", b"1,2\n3"):
        path.write_bytes(content)
        kind = "HDF5" if suffix == ".h5" else suffix
        assert read_error(external_maps.read_map, path).startswith(
            f" cannot be read as {kind}: "
        )


def test_pickled_arrays_raise_value_error(tmp_path):
    path = tmp_path / "a.npy"
    np.save(path, np.array([[{}, []]], object), allow_pickle=True)
    for read in (external_maps.read_map, external_maps.read_heads):
        assert "allow_pickle=False" in read_error(read, path)


def test_npz_content_in_an_npy_file_raises_value_error(tmp_path):
    np.savez(tmp_path / "a.npz", MAP)
    path = (tmp_path / "a.npz").rename(tmp_path / "a.npy")
    assert "cannot be read as .npy" in read_error(external_maps.read_map, path)


def test_hdf5_link_to_another_file_raises_value_error(tmp_path):
    write_h5(tmp_path / "secret.h5", density=MAP)
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["density"] = h5py.ExternalLink(str(tmp_path / "secret.h5"), "density")
    assert "density lies in another file; refused" in read_error(
        external_maps.read_map, path
    )


def test_map_larger_than_the_limit_raises_value_error(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("density", (2**20, 2**20), "f4", chunks=(64, 64))
    text = read_error(external_maps.read_map, tmp_path / "a.h5")
    assert text == " declares a map of (1048576, 1048576), too large"


def test_image_shape_is_read_from_the_header(tmp_path):
    Image.new("L", (30, 20)).save(tmp_path / "a.jpg")
    assert external_maps.image_shape(tmp_path / "a.jpg") == (20, 30)
    (tmp_path / "a.jpg").write_text("none")
    assert " is no JPEG or PNG image" in read_error(
        external_maps.image_shape, tmp_path / "a.jpg"
    )
