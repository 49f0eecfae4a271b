"""The one mask rule, asked of one query and one key at a time."""

from collections.abc import Sequence


def visible(context: int, begin: int, segments: Sequence[int] | None, start: int, length: int) -> list[list[bool]]:
    """Row q, column k: whether query start + q sees key k, for all keys up to the last query."""
    table = []
    for query in range(start, start + length):
        row = []
        for key in range(start + length):
            same_document = segments is None or segments[key] in (segments[query], 0)  # segment 0 is shared
            earlier = key <= query
            in_context = key < context
            row.append(same_document and key >= begin and (earlier or in_context))
        table.append(row)
    return table
