"""The front of the command line: help, version, misspelled words and completion."""

import subprocess

import pytest

import cpcnn_jax as cp
from cpcnn_jax import __main__ as front
from cpcnn_jax.cli import completion
from cpcnn_jax.cli.commands import COMMANDS, import_command
from cpcnn_jax.io.suggestion import suggest


@pytest.mark.parametrize("words", [[], ["help"], ["--help"], ["-h"]])
def test_help_has_one_line_for_each_command(words, capsys):
    assert front.main(words) == 0
    out, err = capsys.readouterr()
    assert not err and max(map(len, out.splitlines())) <= 80
    for name, text in COMMANDS.items():
        assert sum(line.split() == [name, *text.split()] for line in out.splitlines())


def test_help_of_a_command_is_that_of_its_parser(capsys):
    with pytest.raises(SystemExit) as stopped:
        front.main(["help", "compare"])
    assert stopped.value.code == 0
    assert (
        capsys.readouterr().out == import_command("compare").make_parser().format_help()
    )


def test_a_file_in_place_of_a_command_is_to_be_counted(tmp_path, capsys):
    (tmp_path / "a.jpg").touch()
    assert front.main([f"{tmp_path}/a.jpg"]) == 2
    assert f", did you mean count {tmp_path}/a.jpg?" in capsys.readouterr().err


@pytest.mark.parametrize("word", ["--version", "-V", "version"])
def test_version(word, capsys):
    assert front.main([word]) == 0
    assert capsys.readouterr().out == f"cpcnn_jax {cp.__version__}\n"


@pytest.mark.parametrize(
    ("word", "near"),
    [
        ("cuont", "count"),
        ("import_weights", "import-weights"),
        ("--vesion", "--version"),
        ("photo.jpg", None),
    ],
)
def test_unknown_command_is_one_sentence_with_the_nearest(word, near, capsys):
    assert front.main([word, "x"]) == 2
    out, err = capsys.readouterr()
    hint = f", did you mean {near}?" if near else ""
    end = "(`cpcnn_jax help` lists the commands)"
    assert (out, err) == ("", f"cpcnn_jax: no command {word!r}{hint} {end}\n")


@pytest.mark.parametrize(
    ("words", "near"),
    [
        (["count", "a.jpg", "--jsno", "x"], "--json"),
        (["count", "a.jpg", "--frame_step=3"], "--frame-step"),
        (["serve", "--prot=80"], "--port"),
        (["serve", "--xyz"], None),
    ],
)
def test_unknown_flag_is_one_sentence_with_the_nearest(words, near, capsys):
    with pytest.raises(SystemExit) as stopped:
        front.main(words)
    err = capsys.readouterr().err
    assert stopped.value.code == 2 and err.count("\n") == 1
    assert err.startswith(f"{words[0]}: unrecognized arguments: --")
    assert ("did you mean" in err) == bool(near)
    assert not near or f", did you mean {near}?" in err


def test_suggestion_is_the_most_similar_word():
    assert suggest("--densty", ["--density", "--dense"]) == ", did you mean --density?"
    assert suggest("", ["count"]) == ""


@pytest.fixture(scope="module")
def bash_script(tmp_path_factory):
    file = tmp_path_factory.mktemp("completion") / "cpcnn_jax.bash"
    file.write_text(completion.make_script("bash"))
    return file


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("count-", "count-many"),
        ("count --js", "--json"),
        ("train --eval", "--eval_split"),
        ("train --mode ev", "evaluate"),
    ],
)
def test_bash_completes_commands_flags_and_choices(words, expected, bash_script):
    assert complete(words, bash_script) == [expected]


def test_bash_completes_files(bash_script, tmp_path):
    (tmp_path / "photo.jpg").touch()
    assert complete(f"count {tmp_path}/ph", bash_script) == [f"{tmp_path}/photo.jpg"]
    words = f"count a.jpg --weights {tmp_path}/ph"
    assert complete(words, bash_script) == [f"{tmp_path}/photo.jpg"]


def complete(words, bash_script):
    """Completions of the last word by bash."""
    program = (
        f"source {bash_script}; COMP_WORDS=(cpcnn_jax {words}); "
        "COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); "
        '_shtab_cpcnn_jax; echo "${COMPREPLY[@]}"'
    )
    done = subprocess.run(["bash", "-c", program], capture_output=True, text=True)
    return done.stdout.split()


@pytest.mark.parametrize("shell", ["zsh", "fish", "powershell"])
def test_other_shells_get_every_command(shell, capsys):
    assert front.main(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert all(name in script for name in COMMANDS)
