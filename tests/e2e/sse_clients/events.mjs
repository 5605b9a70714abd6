// One client of the matrix on Node: its EventSource, npm's, or our wrapper. Prints one JSON line per event.
// node --experimental-eventsource events.mjs native|npm|wrapper URL LAST_EVENT_ID [WATCHDOG_SECONDS]
import { ColiseumEvents } from "../../../web/coliseum-events.js";

const [kind, url, lastEventId, watchdogSeconds] = process.argv.slice(2);
const names = [
  "ready", "snapshot", "heartbeat", "gap", "reset", "stale", "fresh", "closing", "message",
  "new_trades", "bot_status", "trade_corrected", "source_gap",
];
const print = (name, data, id) => console.log(JSON.stringify([name, data, id ?? ""]));

setInterval(() => {}, 1000); // Node's EventSource does not keep the process alive while it waits to reconnect

if (kind === "wrapper") {
  new ColiseumEvents(url, {
    lastEventId: lastEventId || undefined,
    onEvent: print,
    onGap: (gap) => print("on_gap", gap),
    onState: (state) => print("on_state", state),
    random: () => 0.05,
    watchdogSeconds: watchdogSeconds ? Number(watchdogSeconds) : undefined,
  });
} else {
  const Source = kind === "npm" ? (await import("eventsource")).EventSource : EventSource;
  const source = new Source(lastEventId ? `${url}${url.includes("?") ? "&" : "?"}last_event_id=${lastEventId}` : url);
  for (const name of names) source.addEventListener(name, (e) => print(name, JSON.parse(e.data), e.lastEventId));
  source.onerror = () => source.readyState === 2 && print("on_state", "dead");
}
