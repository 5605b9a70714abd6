from __future__ import annotations

from coliseum.kalshi.subaccounts import Subaccounts


def test_a_number_that_was_set_decides_everything() -> None:
    subaccounts = Subaccounts(3)
    assert (subaccounts.number, subaccounts.undecided({0, 3, 5}), subaccounts.own(3)) == (3, False, True)


def test_fills_of_the_primary_account_raise_no_question() -> None:
    assert not Subaccounts().undecided({0})


def test_a_locked_key_owns_every_fill_that_it_may_read() -> None:
    subaccounts = Subaccounts()
    assert subaccounts.undecided({2})
    subaccounts.locked()
    assert (subaccounts.undecided({2}), subaccounts.own(2), subaccounts.number) == (False, True, None)


def test_a_key_of_all_subaccounts_keeps_the_primary_one_and_names_the_others() -> None:
    subaccounts = Subaccounts()
    subaccounts.keep_primary({0, 2})
    assert (subaccounts.own(0), subaccounts.own(2), subaccounts.undecided({0, 2})) == (True, False, False)
    assert subaccounts.undecided({7})
    subaccounts.keep_primary({7})
    assert "subaccount 2, 7" in (subaccounts.warning or "")


def test_only_an_account_without_subaccounts_is_all_that_the_member_has() -> None:
    locked, several = Subaccounts(), Subaccounts()
    locked.locked()
    several.keep_primary({2})
    assert [one.whole for one in (Subaccounts(), Subaccounts(0), locked, several)] == [True, False, False, False]


def test_a_warning_is_new_once_and_again_where_another_subaccount_is_found() -> None:
    subaccounts = Subaccounts()
    assert subaccounts.take_new_warning() is None
    subaccounts.keep_primary({0, 2})
    assert [subaccounts.take_new_warning() is None for _ in range(2)] == [False, True]
    subaccounts.keep_primary({7})
    assert "2, 7" in (subaccounts.take_new_warning() or "")
