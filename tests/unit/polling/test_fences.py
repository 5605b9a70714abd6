from __future__ import annotations

from coliseum.polling.fences import UNANSWERED_MAX, FenceHistory


def test_an_empty_log_has_the_empty_fence() -> None:
    history = FenceHistory()

    assert "" in history
    assert history.next_fence("a").accepted == ("",)


def test_a_confirmed_call_leaves_only_its_own_token() -> None:
    history = FenceHistory()
    history.confirm(history.next_fence("a"))

    assert "a" in history
    assert "" not in history
    assert history.next_fence("b").accepted == ("a",)


def test_a_call_without_an_answer_may_have_been_executed_or_not() -> None:
    history = FenceHistory()
    history.start_from("stored")
    history.next_fence("lost reply")
    fence = history.next_fence("next")

    assert (fence.accepted, fence.token) == (("stored", "lost reply"), "next")
    assert all(token in history for token in ("stored", "lost reply", "next"))


def test_a_foreign_fence_means_that_another_poller_has_published() -> None:
    history = FenceHistory()
    history.start_from("ours")

    assert "theirs" not in history


def test_starting_from_a_fence_forgets_the_earlier_ones() -> None:
    history = FenceHistory()
    history.next_fence("a")
    history.start_from("b")

    assert "a" not in history
    assert history.next_fence("c").accepted == ("b",)


def test_a_long_outage_does_not_make_the_request_grow_without_end() -> None:
    history = FenceHistory()
    for number in range(UNANSWERED_MAX * 3):
        history.next_fence(str(number))

    assert len(history.next_fence("last").accepted) == UNANSWERED_MAX + 1


def test_a_long_outage_does_not_make_the_last_confirmed_fence_foreign() -> None:
    history = FenceHistory()
    history.confirm(history.next_fence("confirmed"))
    for number in range(UNANSWERED_MAX * 3):
        history.next_fence(str(number))

    assert "confirmed" in history
    assert history.next_fence("last").accepted[0] == "confirmed"
    assert str(UNANSWERED_MAX * 3 - 1) in history
    assert "0" not in history
