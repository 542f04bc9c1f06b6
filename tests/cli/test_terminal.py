"""Nothing that a stranger can name reaches the terminal as a command."""

import json
import logging
import sys
from pathlib import Path

import pytest
import soundfile

from cli.conftest import RATE, SPEECH
from serkit.cli.options import show_rows, show_table
from serkit.cli.progress_bar import shown_progress
from serkit.cli.remarks import print_gaps
from serkit.cli.terminal import echo, echo_document
from serkit.types import Gap
from support.calling import Call

PLANTED = "a\x1b[31m\x9b1m\u202eb\u200b.wav"
SHOWN = "a\\u001b[31m\\u009b1m\\u202eb\\u200b.wav"


def is_harmless(text: str) -> bool:
    return all(char.isprintable() or char == "\n" for char in text)


def test_a_line_shows_what_it_hides(capsys: pytest.CaptureFixture[str]) -> None:
    echo(f"{PLANTED}\nforged: line")
    assert capsys.readouterr().out == f"{SHOWN}\\u000aforged: line\n"
    echo(PLANTED, err=True)
    assert capsys.readouterr().err == f"{SHOWN}\n"


def test_a_document_is_exact_in_a_pipe_and_visible_on_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    echo_document(f"a\n\t{PLANTED}")
    assert capsys.readouterr().out == f"a\n\t{PLANTED}\n"
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    echo_document(f"a\n\t{PLANTED}")
    assert capsys.readouterr().out == f"a\n\t{SHOWN}\n"


def test_tables_show_cells_headings_and_titles_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    show_table(("[red]x", PLANTED), [("[bold]b[/bold].wav", PLANTED)], title=f"[/x] {PLANTED}")
    out = capsys.readouterr().out
    assert is_harmless(out)
    assert out.count(SHOWN) == 3
    for kept in ("[red]x", "[bold]b[/bold].wav", "[/x]"):
        assert kept in out
    show_rows([{"name": PLANTED}], as_json=False, columns=("name",))
    assert SHOWN in capsys.readouterr().out


def test_log_messages_are_one_harmless_line(capsys: pytest.CaptureFixture[str]) -> None:
    with shown_progress():
        logging.getLogger("serkit.lab").info("read %s\nserkit: forged", PLANTED)
    err = capsys.readouterr().err
    assert is_harmless(err)
    assert "\\u000aserkit: forged" in err.replace("\n", "")


def test_predict_names_a_planted_file_without_obeying_it(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # the table would wrap a long path, also in the middle of an escape
    soundfile.write(PLANTED, SPEECH, RATE, format="WAV")
    done = call("predict", PLANTED, PLANTED, "missing\x1b]0;owned\x07.wav")
    assert done.code == 1
    assert is_harmless(done.out + done.err)
    assert "\\u001b]0;owned\\u0007.wav" in done.err or "\\x1b]0;owned\\x07.wav" in done.err
    assert "\\u202" in done.out


def test_an_error_that_quotes_a_label_is_one_harmless_sentence(call: Call, tmp_path: Path) -> None:
    (tmp_path / "own.csv").write_text(f"path,emotion\n{PLANTED},\x1b[2J\n", "utf-8")
    (tmp_path / PLANTED).touch()
    done = call("corpora", "manifest", "own", tmp_path / "own.csv", "-o", tmp_path / "out.csv")
    assert done.code == 2
    assert done.err.count("\n") == 1
    assert is_harmless(done.err)


def test_json_stays_json(call: Call, tmp_path: Path) -> None:
    file = tmp_path / PLANTED
    soundfile.write(file, SPEECH, RATE, format="WAV")
    done = call("predict", file, "--format", "json")
    assert json.loads(done.out)[0]["file"] == str(file)


@pytest.mark.parametrize(
    ("gaps", "sentence"),
    [
        ([(1.0, 1.5)], "no audio for 0.50 s (1.00-1.50 s)."),
        ([(1.0, None)], "nothing is heard from 1.00 s on."),
        ([(1.0, 1.5), (3.0, None)], "no audio for 0.50 s (1.00-1.50 s), and nothing is heard from 3.00 s on."),
        (
            [(float(at), at + 0.5) for at in range(5)],
            "no audio for 2.50 s (0.00-0.50 s, 1.00-1.50 s, 2.00-2.50 s and 2 more).",
        ),
    ],
)
def test_gaps_are_one_sentence(
    gaps: list[tuple[float, float | None]], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    print_gaps([("a.wav", tuple(Gap(start=start, end=end) for start, end in gaps)), ("b.wav", ())])
    assert capsys.readouterr().err == f"serkit: a.wav: {sentence}\n"
