"""Where records end, against an automaton that reads byte by byte."""

from hypothesis import given, settings
from hypothesis import strategies as st

from distml.reading.breaks import BLANK, COMMENT, ROW, Signs, find_records


def ends_of(data: bytes, signs: Signs) -> tuple[list[int], bool]:
    """The records' ends, and whether a quoted value is left open."""
    ends, place, state, is_first = [], 0, "start", True
    while place < len(data):
        byte = data[place : place + 1]
        if is_first and signs.comment and data.startswith(signs.comment, place):
            while place < len(data) and data[place : place + 1] not in (b"\r", b"\n"):
                place += 1
            byte, state = data[place : place + 1], "start"
            if not byte:
                break
        is_first = False
        if byte == signs.escape:
            place, state = place + 2, "in" if state == "in" else "out"
        elif byte == signs.quote and state == "in" and data[place + 1 : place + 2] == signs.quote:
            place += 2
        elif byte == signs.quote and state in ("in", "start"):
            place, state = place + 1, "out" if state == "in" else "in"
        elif byte in (b"\r", b"\n") and state != "in":
            place += 2 if data[place : place + 2] == b"\r\n" else 1
            ends.append(place)
            state, is_first = "start", True
        else:
            place, state = place + 1, state if state == "in" else ("start" if byte == signs.delimiter else "out")
    if state != "in" and data and (not ends or ends[-1] < len(data)):
        ends.append(len(data))
    return ends, state == "in"


TEXTS = st.lists(st.sampled_from([b"a", b",", b",", b'"', b'"', b"\n", b"\n", b"\r\n", b"\r", b"#", b" "]), max_size=30)


@given(TEXTS, st.sampled_from([None, b"#", b"#a"]))
@settings(max_examples=500)
def test_records_end_where_an_automaton_says(parts, comment):
    data, signs = b"".join(parts), Signs(comment=comment)
    found = find_records(data, signs, is_last=True)
    ends, is_open = ends_of(data, signs)
    assert (found.ends.tolist(), found.open_quote is not None) == (ends, is_open)


@given(
    st.lists(st.sampled_from([b"a", b",", b'"', b"\n", b"\\"]), max_size=25).map(lambda parts: b"".join(parts) + b"a")
)
def test_what_is_escaped_is_no_sign(data):
    signs = Signs(escape=b"\\")
    found = find_records(data, signs, is_last=True)
    assert (found.ends.tolist(), found.open_quote is not None) == ends_of(data, signs)


@given(TEXTS, st.integers(0, 60))
def test_a_block_may_end_anywhere(parts, cut):
    data, signs = b"".join(parts), Signs(comment=b"#")
    whole = find_records(data, signs, is_last=True)
    first = find_records(data[:cut], signs, is_last=False)
    end = int(first.ends[-1]) if len(first.ends) else 0
    if data[end - 1 : end + 1] == b"\r\n":
        return  # a CRLF that the cut parts is read on with what follows
    rest = find_records(data[end:], signs, is_last=True)
    assert first.ends.tolist() + (rest.ends + end).tolist() == whole.ends.tolist()
    assert first.lines.tolist() + (rest.lines + first.num_breaks).tolist() == whole.lines.tolist()


def test_lines_and_kinds():
    found = find_records(b'# "\na,"b\n\nc"\n \t\n\n#\n', Signs(comment=b"#"), is_last=True)
    assert found.lines.tolist() == [0, 1, 4, 5, 6]
    assert found.kinds.tolist() == [COMMENT, ROW, BLANK, BLANK, COMMENT]
    assert found.has_quoted_breaks


def test_tabs_are_values_where_they_delimit():
    assert find_records(b"\t\t\n", Signs(delimiter=b"\t"), is_last=True).kinds.tolist() == [ROW]
