-- The dated sources of the informed track: which feeds are read, and what was read from them.

-- The feeds, and how the last reading of each ended. `origin`: `list` is the operator's list or the shipped one,
-- `settlement` is an address by which the exchange settles a series, which may name a feed.
create table arena_source_feeds (
  url text primary key check (url ~ '^https://' and octet_length(url) <= 2048),
  name text not null,
  origin text not null check (origin in ('list', 'settlement')),
  series text[] not null default '{}',   -- of `settlement`: the series that it settles
  feed_url text,                         -- of `settlement`: the feed that its page names
  etag text,
  last_modified text,
  status text not null default 'new' check (status in ('new', 'read', 'unchanged', 'failed', 'refused')),
  problem text,                          -- why it failed or was refused
  items integer not null default 0 check (items >= 0), -- usable items of the last whole reading
  dropped jsonb not null default '{}',   -- unusable items of the last whole reading, by reason
  noted_at timestamptz not null default now(),
  checked_at timestamptz,                -- the last try
  read_at timestamptz                    -- the last whole reading
);

-- What was read. A text that changes under the same address is another row. `fetched_at` is the database's clock.
create table arena_sources (
  source_id bigint generated always as identity primary key,
  feed_url text not null references arena_source_feeds (url) on delete cascade,
  url text not null,
  title text not null check (title <> ''),
  publisher text not null,
  text text not null,
  sha256 text not null,
  published_at timestamptz not null,
  date_only boolean not null,
  fetched_at timestamptz not null default clock_timestamp(),
  unique (feed_url, url, sha256),
  check (sha256 = encode(sha256(convert_to(title || chr(10) || text, 'UTF8')), 'hex')),
  -- A date without a time means the end of its day where that ends last: up to 50 hours after its beginning.
  check (published_at <= fetched_at + case when date_only then interval '50 hours' else interval '0' end),
  check (title || publisher || text || url !~ '[\x01-\x1f\x7f]') -- each is one line
);
create index on arena_sources (feed_url, published_at desc);
create index on arena_sources (fetched_at);

create function arena_stamp_source() returns trigger language plpgsql set search_path = '' as $$
begin
  new.fetched_at := clock_timestamp();
  return new;
end $$;
create trigger arena_sources_stamped before insert on arena_sources
  for each row execute function arena_stamp_source();
create trigger arena_sources_kept before update on arena_sources
  for each row execute function arena_keep();

-- No context shows a source that was published, or read by us, after its own time; and each hash is that of its text.
create function arena_check_context_sources() returns trigger language plpgsql set search_path = '' as $$
declare
  source jsonb;
  as_of timestamptz := (new.context ->> 'as_of')::timestamptz;
begin
  if jsonb_typeof(new.context -> 'sources') is distinct from 'array' then
    return new;
  end if;
  for source in select value from jsonb_array_elements(new.context -> 'sources') loop
    if coalesce((source ->> 'published_at')::timestamptz > as_of, true)
       or coalesce((source ->> 'fetched_at')::timestamptz > as_of, true) then
      raise exception 'source % of % was not known at %', source ->> 'url', new.ticker, as_of using errcode = '23514';
    end if;
    if source ->> 'sha256' is distinct from
       encode(sha256(convert_to((source ->> 'title') || chr(10) || (source ->> 'text'), 'UTF8')), 'hex') then
      raise exception 'source % of % has another hash', source ->> 'url', new.ticker using errcode = '23514';
    end if;
  end loop;
  return new;
end $$;
create trigger arena_round_markets_sources before insert on arena_round_markets
  for each row execute function arena_check_context_sources();

-- Note feeds: those of the list as they are named now, and settlement addresses with one more series.
-- [{"url", "name", "origin", "series"}]. Of the settlement addresses the 200 that were noted last are kept.
create function arena_note_feeds(p_feeds jsonb) returns void
language plpgsql security definer set search_path = '' as $$
begin
  insert into public.arena_source_feeds as known (url, name, origin, series)
    select f.url, f.name, f.origin, coalesce(f.series, '{}')
    from jsonb_populate_recordset(null::public.arena_source_feeds, p_feeds) f order by f.url
    on conflict (url) do update set
      name = case when known.origin = 'list' and excluded.origin = 'settlement' then known.name else excluded.name end,
      origin = case when known.origin = 'list' then 'list' else excluded.origin end,
      series = array(select distinct s from unnest(known.series || excluded.series) s order by s),
      noted_at = now();
  delete from public.arena_source_feeds where origin = 'settlement' and url not in (
    select k.url from public.arena_source_feeds k where k.origin = 'settlement' order by k.noted_at desc, k.url limit 200);
end $$;

-- Store how a reading ended and the sources that it found. Returns how many of them are new.
create function arena_store_reading(p_feed jsonb, p_sources jsonb) returns integer
language plpgsql security definer set search_path = '' as $$
declare
  told public.arena_source_feeds := jsonb_populate_record(null::public.arena_source_feeds, p_feed);
  added integer;
begin
  update public.arena_source_feeds f set
      status = told.status, problem = told.problem, checked_at = clock_timestamp(),
      feed_url = coalesce(told.feed_url, f.feed_url),
      etag = case when told.status = 'read' then told.etag else f.etag end,
      last_modified = case when told.status = 'read' then told.last_modified else f.last_modified end,
      items = case when told.status = 'read' then told.items else f.items end,
      dropped = case when told.status = 'read' then coalesce(told.dropped, '{}') else f.dropped end,
      read_at = case when told.status in ('read', 'unchanged') then clock_timestamp() else f.read_at end
    where f.url = told.url;
  insert into public.arena_sources (feed_url, url, title, publisher, text, sha256, published_at, date_only)
    select told.url, s.url, s.title, s.publisher, s.text, s.sha256, s.published_at, s.date_only
    from jsonb_populate_recordset(null::public.arena_sources, p_sources) s
    -- the reader's clock may be ahead of this one
    where s.published_at <= clock_timestamp() + case when s.date_only then interval '50 hours' else interval '0' end
    on conflict do nothing;
  get diagnostics added = row_count;
  return added;
end $$;

-- What was known at `p_as_of` from these feeds, the newest 60 of each, and how the reading of each feed stands.
create function arena_known_sources(p_feeds text[], p_as_of timestamptz) returns jsonb
language sql stable security definer set search_path = '' as $$
  select jsonb_build_object(
    'sources', coalesce((
      select jsonb_agg(to_jsonb(s) - 'place' order by s.source_id) from (
        select k.*, row_number() over (partition by k.feed_url order by k.published_at desc, k.source_id desc) as place
        from public.arena_sources k
        where k.feed_url = any (p_feeds) and k.published_at <= p_as_of and k.fetched_at <= p_as_of
          and k.published_at >= p_as_of - interval '14 days'
      ) s where s.place <= 60), '[]'),
    'feeds', coalesce((
      select jsonb_agg(jsonb_build_object('url', f.url, 'name', f.name, 'status', f.status, 'problem', f.problem,
                                          'read_at', f.read_at) order by f.url)
      from public.arena_source_feeds f where f.url = any (p_feeds)), '[]'))
$$;

-- Rounds have copies of what they showed.
create function arena_forget_sources() returns integer language sql security definer set search_path = '' as $$
  with gone as (delete from public.arena_sources where fetched_at < now() - interval '30 days' returning 1)
  select count(*)::integer from gone
$$;

-- Addresses without their query, which may hold a key.
create view public_arena_source_feeds as
  select split_part(url, '?', 1) as url, md5(url) as feed_id, name, origin, series, status, problem, items, dropped,
         checked_at, read_at
  from arena_source_feeds;

alter table arena_source_feeds enable row level security;
alter table arena_sources enable row level security;
revoke all on arena_source_feeds, arena_sources from public, anon, authenticated, service_role;
grant select on arena_source_feeds, arena_sources to service_role;
revoke all on public_arena_source_feeds from public, anon, authenticated, service_role;
grant select on public_arena_source_feeds to anon, authenticated, service_role;
do $$
declare
  name text;
begin
  foreach name in array array[
    'arena_stamp_source()', 'arena_check_context_sources()', 'arena_note_feeds(jsonb)',
    'arena_store_reading(jsonb, jsonb)', 'arena_known_sources(text[], timestamptz)', 'arena_forget_sources()'
  ] loop
    execute format('revoke execute on function public.%s from public, anon, authenticated', name);
  end loop;
  foreach name in array array[
    'arena_note_feeds(jsonb)', 'arena_store_reading(jsonb, jsonb)', 'arena_known_sources(text[], timestamptz)',
    'arena_forget_sources()'
  ] loop
    execute format('grant execute on function public.%s to service_role', name);
  end loop;
end $$;
