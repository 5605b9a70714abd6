/**
 * Follow a Coliseum stream from a page: native EventSource and what it lacks. No dependency. Copy this file to
 * where your page is served from:
 *
 *   import { ColiseumEvents } from "./coliseum-events.js";
 *   const events = new ColiseumEvents("/api/python/sse/trading", {
 *     onEvent: (name, data, id) => console.log(name, data), // every event once: new_trades, bot_status, snapshot, …
 *     onGap: ({ lost }) => console.warn(`${lost} entries lost`), // the exact number; a snapshot follows
 *     onState: (state) => console.log(state), // "connecting" | "open" | "waiting" | "closed"
 *   });
 *   // events.lastEventId resumes in another page; events.close() ends it
 *
 * EventSource reconnects by itself after a clean end, but gives up for good after any status other than 200, notices
 * no dead connection, and forgets its position when it is recreated. This wrapper recreates it with full-jitter
 * back-off, watches for silence, resumes by id, and drops entries that it has delivered before.
 */

/** Entries of the log, each delivered once. `bot_status` is a state and may be repeated. */
const LOGGED = [
  "new_trades", "trade_corrected", "source_gap", "trade_context", "exchange_changed", "alert",
  "round_opened", "forecast", "paper_trade", "settled", "leaderboard_changed",
];
const STATES = ["bot_status", "ready", "snapshot", "heartbeat", "gap", "reset", "stale", "fresh", "closing"];

export class ColiseumEvents {
  #url; #options; #source = null; #cursor; #delivered = null; #failures = 0; #timer = null; #watchdog = null; #closed = false;
  #watchdogSeconds; #attempt = 0;

  /**
   * @param {string} url the stream, with its filters
   * @param {object} [options]
   * @param {(name: string, data: object, id: string) => void} [options.onEvent]
   * @param {(gap: {lost: number, from: string, to: string, reason: string}) => void} [options.onGap]
   * @param {(state: string) => void} [options.onState]
   * @param {string} [options.lastEventId] go on after this event
   * @param {() => Promise<string>} [options.ticket] returns a new ticket for a private stream, called for every connection
   * @param {number} [options.watchdogSeconds] silence that counts as a dead connection; 45
   * @param {typeof EventSource} [options.EventSource] another implementation, for tests
   * @param {() => number} [options.random] returns 0 to 1, for tests
   */
  constructor(url, options = {}) {
    this.#url = url;
    this.#options = options;
    this.#cursor = options.lastEventId ?? null;
    this.#watchdogSeconds = options.watchdogSeconds ?? 45;
    this.#open();
  }

  /** The id to go on after; keep it to resume in another page. */
  get lastEventId() { return this.#cursor; }

  close() {
    this.#closed = true;
    this.#stop();
    this.#state("closed");
  }

  async #open() {
    const attempt = this.#attempt;
    this.#state("connecting");
    this.#watch();
    let url = this.#url, ticket = null;
    try {
      if (this.#options.ticket) ticket = await this.#options.ticket();
    } catch {
      if (this.#attempt === attempt) this.#reconnect();
      return;
    }
    if (this.#attempt !== attempt) return; // closed or reconnected while the ticket was on its way
    const parameters = [];
    if (this.#cursor) parameters.push(`last_event_id=${encodeURIComponent(this.#cursor)}`);
    if (ticket) parameters.push(`ticket=${encodeURIComponent(ticket)}`);
    if (parameters.length) url += (url.includes("?") ? "&" : "?") + parameters.join("&");
    const source = new (this.#options.EventSource ?? EventSource)(url);
    this.#source = source;
    source.onopen = () => this.#state("open");
    source.onerror = () => {
      if (this.#source !== source) return;
      if (source.readyState === 2) this.#reconnect(); // refused: EventSource does not try again, this wrapper does
      else this.#state("connecting");
    };
    for (const name of [...LOGGED, ...STATES]) {
      source.addEventListener(name, (message) => this.#source === source && this.#take(name, message));
    }
  }

  #take(name, message) {
    this.#failures = 0;
    this.#watch();
    let data;
    try { data = JSON.parse(message.data); } catch { return; }
    const id = message.lastEventId;
    if (name === "ready" && data.heartbeat_seconds) {
      this.#watchdogSeconds = this.#options.watchdogSeconds ?? Math.max(45, 1.5 * data.heartbeat_seconds);
    }
    if (name === "reset") this.#delivered = null;
    if (LOGGED.includes(name)) {
      if (this.#delivered !== null && !isAfter(id, this.#delivered)) return;
      this.#delivered = id;
    }
    if (id) this.#cursor = id;
    if (name === "gap") this.#options.onGap?.(data);
    this.#options.onEvent?.(name, data, id);
  }

  /** Connect again after a wait of 0 to 1, 2, 4, … 30 seconds. */
  #reconnect() {
    this.#stop();
    if (this.#closed) return;
    this.#state("waiting");
    const longestMs = Math.min(30, 2 ** this.#failures) * 1000;
    this.#failures += 1;
    this.#timer = setTimeout(() => this.#open(), (this.#options.random ?? Math.random)() * longestMs);
  }

  #watch() {
    clearTimeout(this.#watchdog);
    this.#watchdog = setTimeout(() => this.#reconnect(), this.#watchdogSeconds * 1000);
  }

  #stop() {
    this.#attempt += 1;
    clearTimeout(this.#timer);
    clearTimeout(this.#watchdog);
    this.#source?.close();
    this.#source = null;
  }

  #state(state) { this.#options.onState?.(state); }
}

/** Ids are `<ms>-<seq>`: two integers, compared as such. */
function isAfter(id, other) {
  const [ms, seq] = id.split("-").map(Number);
  const [otherMs, otherSeq] = other.split("-").map(Number);
  return ms > otherMs || (ms === otherMs && seq > otherSeq);
}
