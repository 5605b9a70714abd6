"""Deliberate breaks of the delivery and the scoring, one at a time. The tests must fail on every one.

`python -m tests.chaos.mutants` runs them all, `… NAME …` only the named ones. A mutant is one replaced piece of text
in a copy of the project. It is killed when its tests fail on the copy.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.chaos.alert_mutants import ALERT_MUTANTS
from tests.chaos.board_mutants import BOARD_MUTANTS
from tests.chaos.mutant import MACHINE, Mutant

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "layers/coliseum/coliseum"
PATHS = ("layers/coliseum", "layers/streaming", "local")
"""Where servers that a test starts find the packages: those of the project would be without the break."""
LUA = f"{PACKAGE}/feed/publish.lua"
CONTIGUITY = f"{PACKAGE}/feed/contiguity.py"
CHECKPOINT = f"{PACKAGE}/polling/checkpoint.py"
DIFF = f"{PACKAGE}/polling/diff.py"
BOT_POLL = f"{PACKAGE}/polling/bot_poll.py"
FENCES = f"{PACKAGE}/polling/fences.py"
LOG_WRITER = f"{PACKAGE}/polling/log_writer.py"
BACKFILL = f"{PACKAGE}/polling/backfill.py"
FILL_LOOKUP = f"{PACKAGE}/polling/fill_lookup.py"
POLLER = f"{PACKAGE}/polling/poller.py"
PUSH = f"{PACKAGE}/polling/push.py"
RECEIVER = f"{PACKAGE}/polling/push_receiver.py"
ENDPOINT = f"{PACKAGE}/polling/push_endpoint.py"
SIGNATURES = f"{PACKAGE}/bot/signatures.py"
TRACKER = f"{PACKAGE}/polling/status_tracker.py"
PARSE = f"{PACKAGE}/bot/parse.py"
BOT_END = "min(seen.at_ms, int(seen.trades[0].timestamp * 1000)) if seen.trades else seen.at_ms"
UNPUBLISHED = f"{PACKAGE}/polling/unpublished.py"
PROGRESS = f"{PACKAGE}/projection/progress.py"
SESSION = f"{PACKAGE}/streaming/session.py"
RING = f"{PACKAGE}/streaming/ring.py"
FOLLOWER = f"{PACKAGE}/streaming/ring_follower.py"
FANOUT = f"{PACKAGE}/streaming/fanout.py"
CLIENT = f"{PACKAGE}/client/stream.py"
STREAM = ("tests/unit/streaming",)
FOLLOWING = ("tests/unit/streaming/test_ring_follower.py",)
FEED = ("tests/integration/test_feed.py",)
CASES = ("tests/unit/polling", "tests/unit/projection")
PUSHED = ("tests/unit/polling/test_push.py", "tests/chaos/test_delivery_cases.py", "tests/functions/test_bot_push.py")
SIGNED = ("tests/unit/bot/test_signatures.py", "tests/functions/test_bot_push.py")
BOT = ("tests/unit/bot",)


MUTANTS = (
    # The publisher's atomic step
    Mutant("dedupe off", LUA, "if added then\n    use = kind", "if true then\n    use = kind"),
    Mutant("ids follow the clock back", LUA, "local ms = math.max(now, last_ms)", "local ms = now", FEED),
    Mutant("corrections swallowed", LUA, "use = corrected\n", "use = nil\n"),
    Mutant("reused ids taken for corrections", LUA, "if use and old_boot ~= boot and", "if false and"),
    Mutant(
        "a displaced trade forgotten", LUA, "not redis.call('ZSCORE', seen, key .. '@' .. happened) and kind", "kind"
    ),
    Mutant("no fence", LUA, "if ARGV[9] ~= '' and not", "if false and not"),
    # The poller
    Mutant(
        "a batch's checkpoint claims the next batch",
        LOG_WRITER,
        "checkpoint = replace(batch.checkpoint, poll_id",
        "checkpoint = replace(self._queue.memory, poll_id",
    ),
    Mutant(
        "checkpoint before the trades",
        LOG_WRITER,
        "        done = self._feed.publish(\n",
        "        ahead = self._fences.next_fence(uuid4().hex)\n"
        "        self._feed.publish((), now_ms=now_ms, checkpoint=encode(checkpoint), fence=ahead)\n"
        "        fence = type(fence)((ahead.token,), fence.token)\n"
        "        done = self._feed.publish(\n",
    ),
    Mutant(
        "what waits is dropped when redis fails",
        LOG_WRITER,
        "            self._redis_failed(error, tick)\n            return Tick",
        "            self._redis_failed(error, tick)\n            self._queue.confirm_all()\n            return Tick",
    ),
    Mutant(
        "a moved fence taken for done",
        LOG_WRITER,
        "            self._must_load = True\n        except",
        "        except",
    ),
    Mutant("one token for every repetition", LOG_WRITER, "next_fence(uuid4().hex)", 'next_fence("the same")'),
    Mutant(
        "a publish without an answer is forgotten",
        FENCES,
        "(*self._unanswered, token)[-UNANSWERED_MAX:]",
        "self._unanswered",
        CASES,
    ),
    Mutant("newest first", BOT_POLL, "trades=answer.trades[-LIST_MAX:]", "trades=answer.trades[::-1]"),
    Mutant("an emptied log is not refilled", UNPUBLISHED, "        return listed\n", "        return new\n"),
    Mutant(
        "an emptied log's checkpoint claims the list that follows",
        UNPUBLISHED,
        "forget_trades(memory, {trade.trade_id for trade in listed})",
        "memory",
        CASES,
    ),
    # The push
    Mutant("a push without a fence", RECEIVER, "            fence=fence,\n", "", PUSHED),
    Mutant("a push without a checkpoint", RECEIVER, "encode(publication.checkpoint)", '""', PUSHED),
    Mutant("a push makes the first contact", PUSH, "if before.answered_ms is None:", "if False:", PUSHED),
    Mutant("the run of a push unchecked", PUSH, "is not None and pushed.started_at != before.run", "== 0", PUSHED),
    Mutant(
        "any known trade is an anchor",
        PUSH,
        "            return next((place for place, found in enumerate(same) if found), None)\n",
        "            places = [place for place, found in enumerate(same) if found]\n"
        "            if places:\n"
        "                return places[0]\n",
        PUSHED,
    ),
    Mutant("an anchor of an earlier run", PUSH, "trade.digest and not trade.from_earlier_run", "trade.digest", PUSHED),
    Mutant("an anchor with other facts", PUSH, " and each.digest() == trade.digest", "", PUSHED),
    Mutant("pushed trades are not counted", PUSH, "before.trade_count + len(new)", "before.trade_count", PUSHED),
    Mutant("a push counts as an answer", PUSH, "pushed_ms=at_ms,", "pushed_ms=at_ms, answered_ms=at_ms,", PUSHED),
    Mutant("a push passes a row by", PUSH, "if any(rejected_key(row) not in before.known", "if any(False", PUSHED),
    Mutant("a push without end", PUSH, "> LISTED_MAX:", "> 10**9:", PUSHED),
    Mutant(
        "a pushed mode is believed",
        RECEIVER,
        "reported = self._ask()\n        if",
        "reported = pushed\n        if",
        PUSHED,
    ),
    Mutant(
        "an old look takes a push back",
        DIFF,
        "newer = {} if restarted or unknown else",
        "newer = {} if True else",
        PUSHED,
    ),
    Mutant(
        "another poller's work taken for a push", LOG_WRITER, "only_pushed = before", "only_pushed = True or before"
    ),
    Mutant("a poller starves under push", POLLER, "in {Loaded.PUSHED, Loaded.EMPTIED}", "in {Loaded.EMPTIED}", PUSHED),
    Mutant(
        "a lost mode",
        POLLER,
        "            self._status.confirm_mode_soon()\n        else",
        "            pass\n        else",
        PUSHED,
    ),
    Mutant(
        "a signature unchecked",
        SIGNATURES,
        "        raise _refused(problem)\n",
        '        return values["webhook-id"]\n',
        SIGNED,
    ),
    Mutant("a repeated push is counted again", ENDPOINT, "if key not in self._answered:", "if True:", PUSHED),
    # The difference
    Mutant(
        "no overflow check",
        DIFF,
        "answered_ms is not None and not known",
        "answered_ms is not None and restarted and not known",
    ),
    Mutant("no restart check", DIFF, "return now is not None and not _is_unre", "return False and not _is_unre", CASES),
    Mutant("one lost too many", DIFF, "before.trade_count - length\n", "before.trade_count - length + 1\n"),
    Mutant("ids of past runs count", DIFF, "(same_run and not known.from_earlier_run)", "same_run", CASES),
    Mutant("every count trusted", DIFF, " or seen.trade_count <= length:", ":", CASES),
    Mutant("an unsteady count trusted", DIFF, "and seen.trade_count == seen.trade_count_after", "and True", CASES),
    Mutant("memory too small", CHECKPOINT, "max(REMEMBERED_TRADES, at_least)", "50", CASES),
    # The bot's clock
    Mutant(
        "trades in the order of their times",
        PARSE,
        "        listed if oldest_first else listed[::-1],\n",
        "        tuple(sorted(listed[::-1], key=lambda trade: trade.timestamp)),\n",
        (*BOT, *MACHINE),
    ),
    Mutant(
        "an emptied log in the order of times",
        UNPUBLISHED,
        "    placed.sort(key=lambda row: row[0])",
        "    placed.sort(key=lambda row: float(row[1].at or 0))",
    ),
    Mutant("a gap ends at the bot's time", DIFF, "        to_ms=seen.at_ms,\n", f"        to_ms={BOT_END},\n"),
    Mutant(
        "fills are searched without the margin and beyond the trades around",
        BACKFILL,
        "    return max(from_ms - START_MARGIN_MS, *reported, 0)",
        "    return from_ms",
        CASES,
    ),
    Mutant(
        "zero lost before the exchange's delay", BACKFILL, "lost is None and is_late_enough and", "lost is None and"
    ),
    Mutant(
        "zero lost in an empty window", BACKFILL, "is_late_enough and gap.is_whole and", "is_late_enough and", CASES
    ),
    Mutant(
        "the answer before the delay is final",
        BACKFILL,
        "gap=rest, final=is_late_enough",
        "gap=rest, final=True",
        CASES,
    ),
    Mutant(
        "no trade of an earlier day proves that ids match",
        FILL_LOOKUP,
        "earlier = self._request(self._exchange, earlier_since(begin_ms))",
        "earlier = fills",
        CASES,
    ),
    Mutant(
        "the next gap takes what an open one lacks",
        POLLER,
        "late = late_recoveries(difference.checkpoint, answer, now_ms=now)",
        "late = Publication((), difference.checkpoint)",
    ),
    Mutant(
        "a fill counts for one of two gaps only",
        f"{PACKAGE}/polling/publications.py",
        "known=before.known, listed=()",
        "known=checkpoint.known, listed=()",
        MACHINE[:1],
    ),
    Mutant(
        "trades from fills are lost once more",
        DIFF,
        "    if supplied:  # published",
        "    if False:  # published",
        (*CASES, *MACHINE),
    ),
    Mutant(
        "the times decide the order of a list beside a known trade",
        DIFF,
        "    if is_proven:\n",
        "    if False:\n",
        CASES,
    ),
    Mutant(
        "a clock that is ahead is announced at each poll",
        TRACKER,
        "is_news = (ahead is None) != (before is None) or",
        "is_news = ahead is not None or",
        (*CASES, *MACHINE),
    ),
    # The reader
    Mutant("no gap check", CONTIGUITY, "if first.seq > cursor.seq + 1:", "if False:"),
    Mutant("one gap too large", CONTIGUITY, "Gap(first.seq - 1 - cursor.seq", "Gap(first.seq - cursor.seq"),
    Mutant("no epoch check", CONTIGUITY, "if epoch is not None and epoch !=", "if False and epoch !="),
    Mutant("a trimmed log looks quiet", CONTIGUITY, "if anchored or cursor ==", "if True or cursor =="),
    # The stream: ring follower, ring, session, fan-out, client
    Mutant("heartbeat without position", SESSION, '"heartbeat", data, event_id=self.position', '"heartbeat", data'),
    Mutant(
        "ready claims what it cannot",
        SESSION,
        "event_id=self.position if resumed else None",
        "event_id=self.position",
        STREAM,
    ),
    Mutant(
        "a gap announced only once",
        SESSION,
        'event("gap", gap_data(gap))',
        'event("gap", gap_data(gap), event_id=gap.to)',
        STREAM,
    ),
    Mutant("a gap not announced", SESSION, 'self._put(event("gap", gap_data(gap)))', 'event("gap", gap_data(gap))'),
    Mutant(
        "another log taken for the same one",
        SESSION,
        '            self._reset("epoch", view, START, ring.epoch)\n',
        "            pass\n",
    ),
    Mutant(
        "a refused entry stops the scan",
        RING,
        'b"".join(events), stretch[-1].entry.id',
        'b"".join(events), last_id or START',
    ),
    Mutant("an event's first id for its last", RING, "event_id=trades[-1].entry.id", "event_id=trades[0].entry.id"),
    Mutant(
        "trades overtake a status",
        RING,
        "            _flush(events, trades)  # another",
        "            # another",
    ),
    Mutant(
        "any position is covered",
        RING,
        "0 < index <= len(self._entries) and self._entries[index - 1].entry.id == position",
        "0 < index <= len(self._entries)",
    ),
    Mutant(
        "a lost ring unnoticed", FOLLOWER, "return notification.last is not None and (", "return False and (", FOLLOWING
    ),
    Mutant(
        "an old dump taken for the log",
        FOLLOWER,
        "floor, entries, same_history=first_load",
        "floor, entries, same_history=True",
        FOLLOWING,
    ),
    Mutant(
        "a client that is behind counts as served",
        FANOUT,
        "if not member.push(block.data)]",
        "if member.push(block.data) is None]",
        STREAM,
    ),
    Mutant(
        "a session that was given less joins",
        FANOUT,
        "elif not self._is_current() or self._totals.position != view.ring.head:",
        "elif not self._is_current():",
        STREAM,
    ),
    Mutant("stale sources are announced to no group", FANOUT, "return self._stale is view.stale and", "return", STREAM),
    Mutant(
        "what was delivered comes again",
        CLIENT,
        "if entry_id <= self._delivered:",
        "if False:",
        ("tests/integration/test_stream_clients.py",),
    ),
    Mutant(
        "lost entries not declared",
        PROGRESS,
        "Batch(epoch, cursor.id.seq, lost,",
        "Batch(epoch, cursor.id.seq, 0,",
        CASES,
    ),
    *BOARD_MUTANTS,
    *ALERT_MUTANTS,
)


def survives(mutant: Mutant) -> bool:
    """Whether the tests pass on a copy of the project with this break."""
    with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
        copy = Path(folder)
        whole = {"layers", "tests", Path(mutant.path).parts[0]}
        if "supabase" in whole:
            whole.add("local")  # its embedded Postgres finds the migrations beside itself
        for part in sorted(whole):
            # Compiled files come along: they stay valid for what is not changed, and compiling costs the most.
            # A worker beside this one may be writing some, under a temporary name that soon disappears.
            shutil.copytree(ROOT / part, copy / part, ignore=shutil.ignore_patterns("*.pyc.*"))
        for part in ("pyproject.toml", "local", "functions", "events", "supabase", "docs", "template.yaml"):
            if part not in whole:
                (copy / part).symlink_to(ROOT / part)
        sow(mutant, copy)
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *mutant.tests],
            cwd=copy,
            env={**os.environ, "DELIVERY_HUNT": "1", "PYTHONPATH": os.pathsep.join(str(copy / part) for part in PATHS)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if done.returncode not in {0, 1}:
        raise RuntimeError(f"{mutant.name}: the tests did not run:\n{done.stdout.decode()[-2000:]}")
    return done.returncode == 0


def sow(mutant: Mutant, copy: Path) -> None:
    """Put the break into the copy. Raises RuntimeError when the text is not there exactly once."""
    path = copy / mutant.path
    text = path.read_text()
    if text.count(mutant.old) != 1:
        raise RuntimeError(f"{mutant.name}: found {text.count(mutant.old)} times in {mutant.path}: {mutant.old!r}")
    path.write_text(text.replace(mutant.old, mutant.new))


def main(names: Sequence[str]) -> int:
    unknown = set(names) - {mutant.name for mutant in MUTANTS}
    if unknown:
        print(f"no mutant named {', '.join(sorted(unknown))}")
        return 2
    chosen = [mutant for mutant in MUTANTS if not names or mutant.name in names]
    tests = tuple(dict.fromkeys(test for mutant in chosen for test in mutant.tests))
    if not survives(Mutant("nothing changed", LUA, "-- Dedupe", "-- Dedupe", tests)):
        print("the tests fail without a mutant, so they would prove nothing")
        return 2
    survivors = 0
    for mutant in chosen:
        start = time.monotonic()
        survived = survives(mutant)
        survivors += survived
        seconds = time.monotonic() - start
        print(f"{'SURVIVED' if survived else 'killed':8}  {seconds:5.1f} s  {mutant.name}", flush=True)
    print(f"{len(chosen) - survivors} of {len(chosen)} mutants killed")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
