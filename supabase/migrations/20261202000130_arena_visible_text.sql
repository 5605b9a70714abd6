-- Texts that contestants are shown are visible, and one line each: a line break forges another field of a prompt, and
-- hidden characters (controls, bidi marks, zero-width characters, tags, variation selectors) carry hidden orders.

create function arena_visible(p_text text) returns boolean language sql immutable set search_path = '' as $$
  select p_text is null or p_text !~ (
    '[\u0001-\u001f\u007f-\u009f\u00ad\u061c\u115f\u1160\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164'
    || '\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff]')
$$;

-- Rules may have several lines. Rounds that are stored already keep what they showed.
create function arena_check_context_text() returns trigger language plpgsql set search_path = '' as $$
declare
  asked jsonb := coalesce(new.context -> 'question', '{}');
  wrong text;
begin
  select f.name into wrong from (
    select 'title' as name, new.title as said
    union all select 'category', new.category
    union all select q.key, q.value #>> '{}' from jsonb_each(asked) q where jsonb_typeof(q.value) = 'string'
      and q.key not in ('rules', 'rules_secondary')
    union all select r.key, replace(r.value #>> '{}', chr(10), ' ') from jsonb_each(asked) r
      where r.key in ('rules', 'rules_secondary')
    union all select 'other_outcomes', o from jsonb_array_elements_text(
      case when jsonb_typeof(asked -> 'other_outcomes') = 'array' then asked -> 'other_outcomes' else '[]' end) o
    union all select 'sources.' || t.key, t.value #>> '{}'
      from jsonb_array_elements(
        case when jsonb_typeof(new.context -> 'sources') = 'array' then new.context -> 'sources' else '[]' end) s,
        jsonb_each(case when jsonb_typeof(s) = 'object' then s else '{}' end) t where jsonb_typeof(t.value) = 'string'
  ) f where not public.arena_visible(f.said) limit 1;
  if found then
    raise exception '% of market % in round % has line breaks or invisible characters', wrong, new.ticker, new.round_id
      using errcode = '23514';
  end if;
  return new;
end $$;
create trigger arena_round_markets_text before insert on arena_round_markets
  for each row execute function arena_check_context_text();

-- Names of contestants are shown on boards and pages. Those that exist stay as they are.
alter table arena_agents add constraint arena_agents_name_check check (public.arena_visible(name) and name ~ '\S') not valid;

do $$
declare
  name text;
begin
  foreach name in array array['arena_visible(text)', 'arena_check_context_text()'] loop
    execute format('revoke execute on function public.%s from public, anon, authenticated', name);
  end loop;
end $$;
-- A check runs with the rights of whoever writes the row.
grant execute on function arena_visible(text) to service_role;
