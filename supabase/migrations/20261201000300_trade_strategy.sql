-- The strategy that made a trade, as the bot names it: profit can be summed by it.

alter table public.trades add column strategy text;
comment on column public.trades.strategy is 'As the bot names it, with the trade or in its status; null where it names none.';

-- One trade of the feed. A correction supersedes the newest row of its trade. After the log began a new epoch the
-- bot's list is published again: an execution that is here already is left out, a changed report of it corrects it.
create or replace function private.project_trade(
    p_epoch text, p_ms bigint, p_seq bigint, p_data jsonb, p_correction boolean, p_account text, p_bot text
)
    returns boolean
    language plpgsql
    set search_path = ''
    as $$
declare
    fresh public.trades;
    earlier public.trades;
begin
    fresh.trade_id := p_data ->> 'trade_id';
    fresh.ticker := p_data ->> 'ticker';
    fresh.side := p_data ->> 'side';
    fresh.outcome := p_data ->> 'outcome';
    fresh.quantity := coalesce(p_data ->> 'quantity_contracts', p_data ->> 'quantity');
    fresh.price := coalesce(p_data ->> 'price_dollars', p_data ->> 'price');
    fresh.fee := p_data ->> 'fee';
    fresh.order_id := p_data ->> 'order_id';
    fresh.strategy := p_data ->> 'strategy';
    fresh.executed_at := to_timestamp((p_data ->> 'timestamp')::double precision);

    select * into earlier
    from public.trades
    where trade_id = fresh.trade_id
        and account = p_account
        and bot = p_bot
        and corrected_by is null
        and (p_correction or (epoch <> p_epoch and ticker = fresh.ticker and executed_at = fresh.executed_at))
    order by (epoch = p_epoch) desc, ms desc, seq desc
    limit 1;

    if found and not p_correction
        and (earlier.side, earlier.outcome, earlier.quantity, earlier.price, earlier.fee, earlier.order_id)
            is not distinct from
            (fresh.side, fresh.outcome, fresh.quantity, fresh.price, fresh.fee, fresh.order_id)
    then
        return false;
    end if;

    insert into public.trades (
        epoch, seq, ms, trade_id, ticker, side, outcome, quantity, price, fee, order_id, executed_at, source,
        backfilled, correction, account, bot, strategy
    ) values (
        p_epoch, p_seq, p_ms, fresh.trade_id, fresh.ticker, fresh.side, fresh.outcome, fresh.quantity, fresh.price,
        fresh.fee, fresh.order_id, fresh.executed_at, p_data ->> 'source',
        coalesce((p_data ->> 'backfilled')::boolean, false), p_correction or earlier.trade_id is not null,
        p_account, p_bot, coalesce(fresh.strategy, earlier.strategy)
    )
    on conflict (epoch, seq) do nothing;
    if not found then
        return false;
    end if;

    update public.trades
    set corrected_by = p_epoch || '/' || p_ms || '-' || p_seq
    where epoch = earlier.epoch and seq = earlier.seq;
    return true;
end
$$;
