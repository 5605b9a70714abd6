from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from coliseum.arena.scoring.event_spans import EventSpan, clusters

spans = st.lists(
    st.tuples(st.sampled_from(["rain", "fed"]), st.integers(0, 20), st.integers(0, 5)), min_size=1, max_size=12
)


@given(spans)
def test_events_of_a_series_that_overlap_in_chains_are_one_cluster(rows: list[tuple[str, int, int]]) -> None:
    lives = [EventSpan(event=f"e{i:02}", series=s, start=a, end=a + length) for i, (s, a, length) in enumerate(rows)]
    result = clusters(lives)
    for one in lives:
        for other in lives:
            overlap = one.series == other.series and one.start < other.end and other.start < one.end
            if overlap:
                assert result[one.event] == result[other.event]
            if one.series != other.series:
                assert result[one.event] != result[other.event]


def test_a_cluster_ends_where_no_event_overlaps() -> None:
    lives = [
        EventSpan(event="mon", series="rain", start=0, end=2),
        EventSpan(event="tue", series="rain", start=1, end=3),
        EventSpan(event="wed", series="rain", start=3, end=4),
    ]

    assert clusters(lives) == {"mon": "mon", "tue": "mon", "wed": "wed"}
