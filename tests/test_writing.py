import ast
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from serkit.writing import (
    move_whole,
    remove_leftovers,
    whole_binary,
    whole_file,
    whole_files,
    whole_folder,
    whole_text,
    write_whole,
)  # fmt: skip

ROOT = Path(__file__).parents[1]
LIBRARY_WRITERS = {
    "copy", "copy2", "copyfile", "copytree", "dump", "export", "imsave", "quantize_dynamic", "save", "save_file",
    "save_pretrained", "savefig", "savetxt", "savez", "savez_compressed", "tofile", "write",
}  # fmt: skip
LIBRARIES = {"figure", "json", "np", "onnx", "shutil", "soundfile", "torch", "torch.onnx"}
WHOLE = {"whole_binary", "whole_file", "whole_files", "whole_folder", "whole_text"}
EXCEPTIONS = {  # module to why it may write otherwise
    "data/curation/http_fetch.py": "the part of a download grows, so that a killed one can resume",
    "lab/exporting/model_file.py": "functions that write to a temporary file which their caller made",
    "lab/pages/drawing.py": "a buffer in memory",
    "lab/report/audio_players.py": "a buffer in memory",
    "lab/training/checkpoints.py": "a function that writes to a temporary folder which its caller made",
    "server/decoder_process.py": "pipes",
    "server/sandbox.py": "a setting of the kernel",
}


def test_a_file_appears_when_its_block_ends_well(tmp_path: Path) -> None:
    path = tmp_path / "new" / "note.txt"
    with whole_text(path) as file:
        file.write("żółć\n")
        assert not path.exists()
    assert path.read_bytes() == "żółć\n".encode()
    assert list(path.parent.iterdir()) == [path]


def test_a_block_that_fails_leaves_the_old_file_alone(tmp_path: Path) -> None:
    path = tmp_path / "note.txt"
    write_whole(path, "old")
    with pytest.raises(UnicodeEncodeError), whole_text(path) as file:
        file.write("half of the note, then what no file can hold: \ud800")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_block_that_writes_nothing_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), whole_file(tmp_path / "note.txt"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_text_has_line_feeds_on_every_system(tmp_path: Path) -> None:
    write_whole(tmp_path / "note.txt", "a\nb\n")
    assert (tmp_path / "note.txt").read_bytes() == b"a\nb\n"


def test_the_temporary_file_is_hidden_and_beside_its_own(tmp_path: Path) -> None:
    with whole_file(tmp_path / "table.parquet") as temporary:
        assert temporary.parent == tmp_path
        assert temporary.name.startswith(".")
        temporary.touch()


def test_bytes_are_written_as_they_are(tmp_path: Path) -> None:
    write_whole(tmp_path / "new" / "model.onnx", b"a\r\nb")
    with whole_binary(tmp_path / "new" / "values.f32") as file:
        file.write(b"\x00\xff")
    assert (tmp_path / "new" / "model.onnx").read_bytes() == b"a\r\nb"
    assert (tmp_path / "new" / "values.f32").read_bytes() == b"\x00\xff"


def test_writers_of_one_file_in_several_threads_do_not_collide(tmp_path: Path) -> None:
    path, together = tmp_path / "note.txt", Barrier(8)

    def write(letter: str) -> str:
        with whole_file(path) as temporary:
            together.wait(10)
            temporary.write_text(letter * 1000)
            together.wait(10)
        return temporary.name

    with ThreadPoolExecutor(8) as pool:
        names = set(pool.map(write, "abcdefgh"))
    assert len(names) == 8
    assert len(set(path.read_text())) == 1
    assert list(tmp_path.iterdir()) == [path]


def test_a_killed_writer_leaves_the_old_file_and_a_hidden_leftover_that_can_be_removed(tmp_path: Path) -> None:
    path = tmp_path / "[a] note.txt"
    write_whole(path, "old")
    script = """
import os, signal, sys
from pathlib import Path
from serkit.writing import whole_text
with whole_text(Path(sys.argv[1])) as file:
    file.write("half of the note")
    file.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""
    subprocess.run([sys.executable, "-c", script, str(path)], check=False)
    assert path.read_text() == "old"
    (leftover,) = set(tmp_path.iterdir()) - {path}
    assert leftover.name.startswith(".[a] note.txt.")
    remove_leftovers(path)
    assert list(tmp_path.iterdir()) == [path]


def test_the_longest_name_that_a_system_allows_can_be_written(tmp_path: Path) -> None:
    write_whole(tmp_path / ("\N{MUSICAL SYMBOL G CLEF}" * 63), "note")


def test_a_folder_appears_when_its_block_ends_well(tmp_path: Path) -> None:
    with whole_folder(tmp_path / "new" / "pack") as temporary:
        write_whole(temporary / "deep" / "note.txt", "here")
        assert not (tmp_path / "new" / "pack").exists()
    assert (tmp_path / "new" / "pack" / "deep" / "note.txt").read_text() == "here"
    with pytest.raises(UnicodeEncodeError), whole_folder(tmp_path / "new" / "other") as temporary:
        write_whole(temporary / "note.txt", "what no file can hold: \ud800")
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["pack"]


def test_a_folder_with_files_in_it_is_not_replaced(tmp_path: Path) -> None:
    write_whole(tmp_path / "pack" / "note.txt", "old")
    with pytest.raises(FileExistsError, match="pack"), whole_folder(tmp_path / "pack") as temporary:
        write_whole(temporary / "note.txt", "new")
    assert (tmp_path / "pack" / "note.txt").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["pack"]


def test_files_move_into_a_folder_together_and_the_named_one_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_whole(tmp_path / "model" / "other.txt", "kept")
    moved, real = [], Path.replace

    def replace(self: Path, target: Path) -> Path:
        moved.append(target.name)
        return real(self, target)

    with whole_files(tmp_path / "model", last="config.json") as temporary:
        for name in ("config.json", "weights", "a"):
            write_whole(temporary / name, name)
        monkeypatch.setattr(Path, "replace", replace)
    assert set(moved[:2]) == {"a", "weights"}
    assert moved[2] == "config.json"
    assert {path.name for path in (tmp_path / "model").iterdir()} == {"other.txt", *moved}


def test_a_complete_file_moves_into_a_folder_that_is_made(tmp_path: Path) -> None:
    write_whole(tmp_path / "a.part", "whole")
    move_whole(tmp_path / "a.part", tmp_path / "corpus" / "a.wav")
    assert [path.name for path in tmp_path.rglob("*")] == ["corpus", "a.wav"]


@pytest.mark.parametrize("folder", [ROOT / "src" / "serkit", ROOT / "tools"], ids=["serkit", "tools"])
def test_no_other_module_creates_or_replaces_a_file(folder: Path) -> None:
    found = {module: calls for module, calls in writing_modules(folder).items() if module not in EXCEPTIONS}
    assert found == {}, "use serkit.writing"


def test_each_exception_is_still_needed() -> None:
    assert EXCEPTIONS.keys() <= writing_modules(ROOT / "src" / "serkit").keys()


def writing_modules(folder: Path) -> dict[str, list[str]]:
    """Return each module that writes without serkit.writing, and its calls that do."""
    found = {}
    for file in sorted(folder.rglob("*.py")):
        module = file.relative_to(folder).as_posix()
        calls = [] if module == "writing.py" else list(writes(ast.parse(file.read_text("utf-8"))))
        if calls:
            found[module] = calls
    return found


def writes(tree: ast.Module) -> Iterator[str]:
    """Yield each call that writes to a path which no whole_* function gave."""
    for function in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)):
        whole = {
            item.optional_vars.id
            for node in ast.walk(function)
            if isinstance(node, ast.With)
            for item in node.items
            if isinstance(item.optional_vars, ast.Name)
            and isinstance(item.context_expr, ast.Call)
            and ast.unparse(item.context_expr.func) in WHOLE
        }
        for call in (node for node in ast.walk(function) if isinstance(node, ast.Call)):
            if is_write(call) and not whole & {node.id for node in ast.walk(call) if isinstance(node, ast.Name)}:
                yield f"{function.name}, line {call.lineno}: {ast.unparse(call)}"


def is_write(call: ast.Call) -> bool:
    owner, _, name = ast.unparse(call.func).rpartition(".")
    if name in ("write_text", "write_bytes"):
        return True
    if name in ("replace", "rename", "renames", "move"):  # a text's replace takes two arguments
        return owner in ("os", "shutil") or (bool(owner) and len(call.args) == 1 and not call.keywords)
    if name in ("open", "fdopen"):
        modes = [
            node.value for node in [*call.args, *(k.value for k in call.keywords)] if isinstance(node, ast.Constant)
        ]
        return any(isinstance(mode, str) and len(mode) < 4 and set(mode) & set("wax+") for mode in modes)
    return (name in LIBRARY_WRITERS and owner.rpartition(".")[2] in LIBRARIES) or name in (
        "save_file",
        "savefig",
        "save_pretrained",
    )
