"""A written schema says what it was made from, whatever the names and categories are."""

import yaml
from hypothesis import given
from hypothesis import strategies as st

from distml.inspection.written import WrittenColumn, WrittenSchema, to_yaml

NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)


@given(st.dictionaries(NAMES, st.lists(NAMES, max_size=4), max_size=3), NAMES)
def test_what_is_written_is_what_is_read(columns, source):
    schema = WrittenSchema(
        source=source,
        columns={
            name: WrittenColumn(kind="categorical", dtype="string", allowed=tuple(allowed))
            for name, allowed in columns.items()
        },
    )
    text = to_yaml(schema)
    assert WrittenSchema.model_validate(yaml.safe_load(text)) == schema
    assert len(text.splitlines()) == 6 + len(columns)  # a column is a line
