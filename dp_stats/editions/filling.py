"""Long tables in a spreadsheet at the speed of XlsxWriter.

gptables lays out a sheet after the Analysis Function's guidance, and keeps a dictionary for the looks of every single cell,
which takes nine tenths of the time of an edition's workbooks. So it lays out the heading and one row that stands for all,
of the widest values; the rows are then written in the looks that it would have given them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd
    from gptables import GPWorkbook


def widest_row(frame: pd.DataFrame) -> pd.DataFrame:
    """One row that takes the room of the whole table, and is a text where any value is one."""
    import pandas as pd
    from xlsxwriter.utility import cell_autofit_width

    def width(value: object) -> float:
        """The pixels that a value takes, capitals counted as gptables counts them."""
        text = str(value)
        return float(cell_autofit_width(text) * (1 + 0.15 * sum(map(str.isupper, text)) / max(len(text), 1)))

    columns = [frame.iloc[:, at].unique().tolist() for at in range(frame.shape[1])]
    row = [max([value for value in values if isinstance(value, str)] or values, key=width) for values in columns]
    return pd.DataFrame([row], columns=frame.columns, dtype=object)


def fill(book: GPWorkbook, label: str, frame: pd.DataFrame) -> None:
    """Write the rows of a table into the sheet in which one row stands for them, and let the table reach to the last."""
    from xlsxwriter.utility import xl_cell_to_rowcol, xl_range

    sheet = book.get_worksheet_by_name(label)
    (table,) = sheet.tables
    first, left = xl_cell_to_rowcol(table["range"].partition(":")[0])
    last, right = first + len(frame), left + frame.shape[1] - 1
    table["range"] = table["a_range"] = xl_range(first, left, last, right)
    for at in range(frame.shape[1]):
        values: list[Any] = frame.iloc[:, at].tolist()
        texts = any(isinstance(value, str) for value in values)
        looks = book.add_format({**book.theme.data_format, "align": "left" if texts else "right"})
        for row, value in enumerate(values, start=first + 1):
            if isinstance(value, str):
                sheet.write_string(row, left + at, value, looks)
            else:
                sheet.write_number(row, left + at, value, looks)
