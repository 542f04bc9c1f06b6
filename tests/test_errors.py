import builtins
import inspect
import pickle
import re
from collections.abc import Iterator

import pytest

from serkit import errors
from serkit.errors import MissingExtraError, SerkitError, UnknownNameError, nearest, unknown_name

CLASSES = {
    name: cls
    for name, cls in vars(errors).items()
    if inspect.isclass(cls) and issubclass(cls, Exception) and cls.__module__ == errors.__name__
}


def drawn() -> Iterator[tuple[str, str | None, str | None]]:
    """Yield name, parent and built-in of each line of the tree in the module's docstring."""
    above: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        match = re.match(r"    ([│├└─ ]*)(\w+Error)\b(?: \((\w+)\))?", line)
        if match:
            depth = len(match[1]) // 4
            above[depth:] = [match[2]]
            yield match[2], above[depth - 1] if depth else None, match[3]


def test_the_tree_in_the_docstring_holds_exactly_the_classes_of_the_module() -> None:
    names = [name for name, _, _ in drawn()]
    assert sorted(names) == sorted(CLASSES)


@pytest.mark.parametrize(("name", "parent", "builtin"), list(drawn()), ids=lambda value: value or "")
def test_a_class_derives_from_what_the_docstring_draws(name: str, parent: str | None, builtin: str | None) -> None:
    expected = [CLASSES[parent]] if parent else [Exception]
    if builtin:
        expected.append(getattr(builtins, builtin))
    assert list(CLASSES[name].__bases__) == expected


def test_every_error_is_caught_as_a_serkit_error() -> None:
    assert all(issubclass(cls, SerkitError) for cls in CLASSES.values())


@pytest.mark.parametrize("cls", [cls for cls in CLASSES.values() if cls is not MissingExtraError])
def test_an_error_survives_the_way_out_of_a_worker_process(cls: type[SerkitError]) -> None:
    copy = pickle.loads(pickle.dumps(cls("what was wrong")))
    assert (type(copy), str(copy)) == (cls, "what was wrong")


def test_a_missing_extra_names_the_pip_command_and_survives_pickling() -> None:
    error = MissingExtraError("a report's figures", "plot")
    assert str(error) == "a report's figures needs an optional part: pip install 'serkit[plot]'"
    copy = pickle.loads(pickle.dumps(error))
    assert (str(copy), copy.extra) == (str(error), "plot")


def test_an_unknown_name_suggests_the_nearest_and_says_where_all_are_listed() -> None:
    error = unknown_name("corpus", "ravdes", ["emodb", "ravdess"], "serkit corpora list")
    assert isinstance(error, UnknownNameError)
    assert str(error) == "no corpus 'ravdes'; did you mean 'ravdess'? See 'serkit corpora list'."


def test_an_unknown_name_with_nothing_near_makes_no_suggestion() -> None:
    error = unknown_name("corpus", "xyz", ["emodb", "ravdess"], "serkit corpora list")
    assert str(error) == "no corpus 'xyz'. See 'serkit corpora list'."


def test_the_nearest_name_is_found_in_any_case() -> None:
    assert nearest("RAVDESS", ["emodb", "ravdess"]) == "; did you mean 'ravdess'?"
