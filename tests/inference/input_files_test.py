import pytest

from cpcnn_jax.inference import input_files


@pytest.fixture
def tree(tmp_path):
    for name in ("b.JPG", "a.png", "notes.txt", "deep/er/c.tiff", "none/x.mat"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def test_words_stand_for_photographs(tree):
    def below(word):
        return [p.removeprefix(f"{tree}/") for p in input_files.find_files(str(word))]

    assert below(tree) == ["a.png", "b.JPG", "deep/er/c.tiff"]
    assert below(tree / "*.[Jp]*") == ["a.png", "b.JPG"]
    assert below(tree / "**" / "*.tiff") == ["deep/er/c.tiff"]
    assert below(tree / "notes.txt") == ["notes.txt"]  # named, so tried
    assert below(tree / "gone.jpg") == ["gone.jpg"]  # opening it says so
    assert input_files.find_files("-") == ["-"]


def test_a_file_named_like_a_pattern_is_that_file(tree):
    (tree / "[1].jpg").touch()
    name = str(tree / "[1].jpg")
    assert input_files.find_files(name) == [name]


def test_words_that_stand_for_nothing(tree):
    with pytest.raises(ValueError, match="none holds no photographs .*.jpg"):
        input_files.find_files(str(tree / "none"))
    with pytest.raises(ValueError, match=r"\*.gif matches no file"):
        input_files.find_files(str(tree / "*.gif"))


def test_no_two_files_share_a_place(tmp_path):
    names = ["a/x/1.jpg", "a/y/1.JPG", "a/1.png", "2.jpg", "a/x/2.jpg", "-"]
    files = [name if name == "-" else str(tmp_path / name) for name in names]
    places = [place.as_posix() for place in input_files.output_names(files).values()]
    expected = ["x/1.jpg", "y/1.JPG", "1.png", "2.jpg", "a/x/2.jpg", "standard_input"]
    assert places == expected
    assert len({place.casefold() for place in places}) == len(places)
