"""Pick lines of code at random, to test whether a reader who knows only the file names finds their files.

python tools/sample_lines.py --seed 21            prints ten lines
python tools/sample_lines.py --seed 21 --functions   also prints the function or class that each line is in
python tools/sample_lines.py --seed 21 --places      prints their files and line numbers
"""

import ast
import random
import tokenize
from pathlib import Path
from typing import Annotated

import typer

SOURCE = Path(__file__).parents[1] / "src" / "serkit"
SHORTEST = 40  # characters; a shorter line says too little about its file
_SKIPPED = ("import ", "from ", "@", "def ", "class ")


def main(
    seed: int = 21,
    count: int = 10,
    *,
    functions: Annotated[bool, typer.Option("--functions")] = False,
    places: Annotated[bool, typer.Option("--places")] = False,
) -> None:
    """Print lines of code, or where they are."""
    lines = [(file, number, line) for file in sorted(SOURCE.rglob("*.py")) for number, line in code_lines(file)]
    for index, (file, number, line) in enumerate(random.Random(seed).sample(lines, count), 1):  # noqa: S311
        where = f"in {scope_of(file, number)}: " if functions else ""
        print(f"{index}. {file.relative_to(SOURCE)}:{number}" if places else f"{index}. {where}{line}")


def scope_of(file: Path, number: int) -> str:
    """Return the name of the class and function that a line is in, such as ``Stream.push``."""
    nodes = ast.walk(ast.parse(file.read_text("utf-8")))  # outer ones first
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    around = [n for n in nodes if isinstance(n, kinds) and n.lineno <= number <= (n.end_lineno or 0)]
    return ".".join(node.name for node in around) or "the module"


def code_lines(file: Path) -> list[tuple[int, str]]:
    """Return the numbered lines of a file that are long enough and no docstring, comment, import or signature."""
    with tokenize.open(file) as source:
        lines = source.read().splitlines()
        source.seek(0)
        tokens = list(tokenize.generate_tokens(source.readline))
    texts = [t for t in tokens if t.type == tokenize.STRING and t.string.lstrip("rbfu").startswith('"""')]
    inside = {number for token in texts for number in range(token.start[0], token.end[0] + 1)}
    found = [(number, line.strip()) for number, line in enumerate(lines, 1) if number not in inside]
    return [(n, line) for n, line in found if len(line) >= SHORTEST and not line.startswith(("#", *_SKIPPED))]


if __name__ == "__main__":
    typer.run(main)
