from __future__ import annotations

import pytest

from distml.errors import ConflictError
from distml.serve.tokens.revoked import KEY, revocations, revoke, revoked_names
from distml.storage import Storage


def test_nothing_is_revoked_at_first(tmp_path):
    assert revoked_names(Storage(tmp_path)) == frozenset()


def test_names_add_up_and_keep_their_first_date(tmp_path):
    storage = Storage(tmp_path)
    revoke(storage, "a")
    first = revocations(storage)["a"]
    revoke(storage, "b")
    revoke(storage, "a")
    assert revoked_names(storage) == {"a", "b"}
    assert revocations(storage)["a"] == first
    assert len(storage.list(KEY)) == 2  # the third changed nothing


def test_of_two_writers_at_once_one_is_told(tmp_path):
    class Late(Storage):
        def read_swapped(self, key):
            seen = super().read_swapped(key)
            revoke(Storage(tmp_path), "b")
            return seen

    with pytest.raises(ConflictError):
        revoke(Late(tmp_path), "a")
    assert revoked_names(Storage(tmp_path)) == {"b"}
