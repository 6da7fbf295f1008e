"""How files and their cells are read: what begins them, decimal commas, apostrophes, numbers written short."""

from __future__ import annotations

import io
import time
from decimal import Decimal

import pytest

from holdfast.import_export.cells import amount_text, code_cell, gtin_cell, quantity_cell, title_cell
from holdfast.import_export.table import BadLine, FileRefused, guarded, read_table, require_columns

NUMBERS = frozenset({"price"})


def _cells(text: str, numbers: frozenset[str] = NUMBERS) -> list[tuple[int, dict[str, str]]]:
    return [(line.number, dict(line.cells)) for line in read_table(io.StringIO(text, newline=""), numbers).lines]


def _prices(text: str) -> list[str]:
    return [cells["price"] for _, cells in _cells(text)]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("sku,price\nA,1\n", 2),
        ("\nsku,price\nA,1\n", 3),
        ("\r\n \r\n,,\r\nsku,price\r\n\r\nA,1\r\n", 6),
        ("sep=;\nsku;price\nA;1\n", 3),
        ('"sep=;"\r\nsku;price\r\nA;1\r\n', 3),
        ("SEP=,\nsku,price\nA,1\n", 3),
        ("\ufeffsep=\t\nsku\tprice\nA\t1\n", 3),
        ("\n\ufeffsku,price\nA,1\n", 3),
    ],
)
def test_a_file_may_begin_with_blank_lines_and_a_hint(text: str, number: int) -> None:
    assert _cells(text) == [(number, {"sku": "A", "price": "1"})]


@pytest.mark.parametrize("text", ["", "\n", "sep=;\n", "\r\n,,,\r\n", "\ufeff\n"])
def test_a_file_without_a_header_is_empty(text: str) -> None:
    with pytest.raises(FileRefused, match="is empty"):
        _cells(text)


DOUBTFUL = "1.234 (1234 or 1,234?)"


@pytest.mark.parametrize(
    ("said", "read"),
    [
        (["12,50", "3"], ["12.50", "3"]),
        (["1.234,50", "-0,5", "1 234,5", "1.234.567", "1'234,5"], ["1234.50", "-0.5", "1234.5", "1234567", "1234.5"]),
        (["1.234", "12,50"], [DOUBTFUL, "12.50"]),
        (["12,50", "12.50"], ["12,50", "12.50"]),
        (["0.250", "12,50"], ["0.250", "12,50"]),
        (["1,234.50", "7,5"], ["1,234.50", "7,5"]),
        (["1.234", "12"], ["1.234", "12"]),
        (["abc", "1,2,3", ""], ["abc", "1,2,3", ""]),
    ],
)
@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_a_comma_is_the_decimal_sign_where_no_number_has_a_point(
    said: list[str], read: list[str], delimiter: str
) -> None:
    text = f"sku{delimiter}price\n" + "".join(f'A{delimiter}"{price}"\n' for price in said)

    assert _prices(text) == read


def test_only_columns_of_numbers_have_decimal_commas() -> None:
    assert _cells("sku;price;title\n1,5;1,5;v1.5\n")[0][1] == {"sku": "1,5", "price": "1.5", "title": "v1.5"}


def test_a_file_with_commas_between_its_cells_has_decimal_points() -> None:
    assert _prices('sku,price\nA,"12,50"\n') == ["12,50"]


def test_a_pipe_is_read_as_well() -> None:
    class Pipe(io.StringIO):
        def seekable(self) -> bool:
            return False

        def seek(self, *_: object) -> int:
            raise io.UnsupportedOperation

    lines = read_table(Pipe("sku;price\nA;1,5\nÄ;2\n", newline=""), NUMBERS).lines

    assert [(line.number, line.cells["price"]) for line in lines] == [(2, "1.5"), (3, "2")]


_FORMULAS = ["=1+1", "@x", "+x", "-x", "'=x", "''@x", "-", "＝1+1", "＋1", "－1", "＠SUM(1)", "﹦1", "'＝1", " =1"]


@pytest.mark.parametrize("text", [*_FORMULAS, "-5", "'x", "x", "'", "", "x=1", "'ｘ"])
def test_what_is_exported_is_read_back(text: str) -> None:
    assert _cells(f"sku,price\nA,{guarded(text)}\n", frozenset())[0][1]["price"] == text


@pytest.mark.parametrize("text", [*_FORMULAS, "\u3000＝1", "\tx", "\rx", "\nx", "-１"])
def test_no_spreadsheet_runs_what_is_exported(text: str) -> None:
    """An apostrophe goes before it, also where an East Asian spreadsheet alone would take it for a formula."""
    assert guarded(text) == f"'{text}"


@pytest.mark.parametrize("text", ["12", "0.25", "-3", "+3", ".5", "5.", "0012"])
def test_numbers(text: str) -> None:
    assert quantity_cell("quantity", text) == Decimal(text)


@pytest.mark.parametrize("text", ["1e3", "1E3", "1.5E+3", "1,5e-3", "-2e0"])
def test_a_number_that_is_written_short_is_refused_in_words(text: str) -> None:
    with pytest.raises(BadLine, match=r"quantity '.*' is short for a number: write all of its digits"):
        quantity_cell("quantity", text)


@pytest.mark.parametrize("text", ["1_000", "١٢", "NaN", "Infinity", "--1", "1 000", "12kg", "1,5", ".", "1" * 41])
def test_what_is_no_number(text: str) -> None:
    with pytest.raises(BadLine, match=r"is no number such as 12 or 0\.25"):
        quantity_cell("quantity", text)


@pytest.mark.parametrize(
    ("text", "read"),
    [("1,234.50", "1234.50"), ("1,2.5", "1,2.5"), ("1,234", "1,234"), ("1.234,50", "1.234,50"), ("12,34.5", "12,34.5")],
)
def test_thousands_of_an_amount(text: str, read: str) -> None:
    assert amount_text(text) == read


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1.23457E+12", "a spreadsheet has rounded it"),
        ("4,00638e+12", "a spreadsheet has rounded it"),
        ("1E+05", "a spreadsheet has rounded it"),
        ("#N/A", "is an error of a spreadsheet"),
        ("#NAME?", "is an error of a spreadsheet"),
        ("#ref!", "is an error of a spreadsheet"),
        ("NULL", "stands for nothing"),
        ("NaN", "stands for nothing"),
    ],
)
def test_a_code_that_a_program_has_replaced(text: str, words: str) -> None:
    with pytest.raises(BadLine, match=words):
        code_cell("sku", text)


@pytest.mark.parametrize("text", ["12E4", "5E10", "E+5", "#1001", "NULLARBOR", "N-A", "-", "0001"])
def test_codes_that_only_look_like_it(text: str) -> None:
    assert code_cell("sku", text) == title_cell("title", text) == text


@pytest.mark.parametrize("text", ["00000000", "0000000000000", "00000000000000"])
def test_zeros_are_no_barcode(text: str) -> None:
    with pytest.raises(BadLine, match="is no GTIN"):
        gtin_cell("gtin", text)


def test_a_missing_column_is_told_with_whole_names() -> None:
    columns = [f"a rather long column {number}" for number in range(20)]
    table = read_table(io.StringIO(",".join(columns) + "\n"))

    with pytest.raises(FileRefused) as refused:
        require_columns(table, ("sku",), ("sku",), " Try another.")

    named = ", ".join(columns[:12])
    assert str(refused.value) == f"The header has no column 'sku'; it has {named} and 8 more. Try another."


def test_a_cell_of_many_digits_is_refused_in_one_look() -> None:
    """A cell may have millions of signs: to try each of them as the end of the number would take their square."""
    began = time.process_time()
    with pytest.raises(BadLine):
        quantity_cell("quantity", "9" * 200_000 + "x")
    assert time.process_time() - began < 5
