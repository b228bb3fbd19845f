"""Whether a core is free."""

from __future__ import annotations

import pytest

from actors.supervision import cores


@pytest.mark.parametrize(
    ("running", "count", "is_free"),
    [
        pytest.param(1, 1, True, id="nobody but the reader"),
        pytest.param(2, 1, False, id="somebody on the only core"),
        pytest.param(2, 2, True, id="somebody on one of two"),
        pytest.param(3, 2, False, id="one on each"),
        pytest.param(9, 2, False, id="many"),
    ],
)
def test_a_core_is_free_where_fewer_want_to_run_than_there_are(
    running: int, count: int, *, is_free: bool
) -> None:
    load = f"0.52 1.73 2.63 {running}/104 23045\n"

    assert cores.leaves_one_free(load, count) is is_free


def test_the_kernel_says_it_in_the_form_that_is_read() -> None:
    assert isinstance(cores.is_one_free(), bool)
