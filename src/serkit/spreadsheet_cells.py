"""Keeps spreadsheets from running texts of a CSV file as formulas.

Excel, LibreOffice and Google Sheets take a cell that begins with ``=``, ``+``, ``-`` or ``@`` for a formula, also in a
file that somebody else made. Where serkit writes CSV, such a text gets an apostrophe before it, the spreadsheets' own
mark for text; where serkit reads CSV, the apostrophe is removed again. A program with another separator than the
file's begins a cell after a comma, a semicolon, a tab, a quotation mark or a line end within a text, so a formula there
gets the apostrophe too. Numbers stay numbers: ``-0.5`` is no formula.

Source: OWASP, "CSV Injection": https://owasp.org/www-community/attacks/CSV_Injection
"""

import re

_SIGNS = "=+\\-@\uff1d\uff0b\uff0d\uff20"  # the last four are the full-width forms, which Excel knows as well
_PLACE = rf"(^ *(?={{}}'*[{_SIGNS}\t\r])|[,;\t\r\n\"] *(?={{}}'*[{_SIGNS}]))"  # before a formula
_FORMULA = re.compile(_PLACE.format("", ""))
_GUARDED = re.compile(_PLACE.format("'", "'") + "'")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_FIRST = frozenset("=+-@\t\r\uff1d\uff0b\uff0d\uff20 '")  # first characters of a text that may be a formula


def guarded(cell: str) -> str:
    """Return a cell that no spreadsheet runs; :func:`unguarded` returns the text again.

    Example:
        >>> guarded("=1+1"), guarded("-0.5"), guarded("a;@SUM(A1)"), guarded("anger")
        ("'=1+1", '-0.5', "a;'@SUM(A1)", 'anger')
    """
    has_separator = "," in cell or ";" in cell or '"' in cell or "\t" in cell or "\n" in cell or "\r" in cell
    if not (has_separator or cell[:1] in _FIRST) or _NUMBER.fullmatch(cell):  # the first two tests are for speed
        return cell
    return _FORMULA.sub(r"\1'", cell)


def unguarded(cell: str) -> str:
    """Return the text of a cell that :func:`guarded` returned; other texts stay as they are.

    Example:
        >>> unguarded("'=1+1"), unguarded("'tis")
        ('=1+1', "'tis")
    """
    return _GUARDED.sub(r"\1", cell) if "'" in cell else cell
