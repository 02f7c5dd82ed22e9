"""Exit status and error sentence of the commands' shared parser."""

import pytest

from cpcnn_jax.cli.parser import Parser, UsageError


@pytest.mark.parametrize(
    "error, status",
    [(ValueError("no x"), 1), (OSError(2, "no", "x"), 1), (UsageError("no x"), 2)],
)
def test_error_becomes_one_sentence_and_a_status(error, status, capsys):
    def work(args):
        raise error

    assert Parser(prog="python -m cpcnn_jax name").run([], work) == status
    assert capsys.readouterr() == ("", f"name: {error}\n")


@pytest.mark.parametrize("result, status", [(None, 0), (0, 0), (1, 1), (130, 130)])
def test_status_is_the_result_of_the_work(result, status, capsys):
    parser = Parser(prog="name")
    parser.add_argument("number")
    assert parser.run(["5"], lambda args: result if args.number == "5" else 7) == status
    assert capsys.readouterr() == ("", "")


def test_wrong_command_line_exits_with_status_2(capsys):
    with pytest.raises(SystemExit) as error:
        Parser(prog="python -m cpcnn_jax name").run(["--what"], lambda args: 0)
    assert error.value.code == 2
    expected = "name: unrecognized arguments: --what (--help lists the flags)\n"
    assert capsys.readouterr().err == expected
