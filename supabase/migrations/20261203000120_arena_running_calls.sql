-- Each claim counts the calls that run, among those of 30 days.
create index on arena_calls (entrant_id) where status = 'calling';
