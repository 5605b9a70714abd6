/**
 * Report the trades and the status of a trading bot to Coliseum, in five lines of the bot. Node 18 or later, no
 * dependency. Copy this file beside your bot:
 *
 *   import { Reporter } from "./coliseum-reporter.js";
 *   const reporter = new Reporter({ file: "trades.log", port: 9000 });
 *   reporter.status({ mode: "paper", strategy: "example" });
 *   reporter.trade({ ticker: "PRES24-GOP", side: "BUY", quantity: 50, price: "0.65", outcome: "yes", trade_id: "fill-1" });
 *
 * It answers GET /health, /status and /trades, keeps the newest 1,000 trades on disk, and pushes them signed where it
 * is given `url` and `secret`. A call never throws: what is wrong is logged once and stands in /status. It does not keep
 * a program alive that has nothing else to do. docs/bot.md of Coliseum explains it.
 */
import { createHmac, randomUUID } from "node:crypto";
import fs from "node:fs";
import http from "node:http";
import https from "node:https";
import path from "node:path";

const KEPT = 1000, LISTED = 100, LISTED_MS = 3_600_000, PUSHED_MIN = 20, PUSHED_BYTES = 60_000;
const FIRST_WAIT_MS = 200, LONGEST_WAIT_MS = 30_000, ABSENT_MS = 600_000, RETRY_AFTER_MAX_MS = 300_000;
const STATUS_MS = 30_000, FILE_MS = 1000, PORT_MS = 10_000, SHORTEN_MS = 60_000, TIMEOUT_MS = 10_000, CLOSE_MS = 1000;
const CONNECTIONS = 16, REFUSALS_LOGGED = 100, CLOCK_TOLERANCE_SECONDS = 60;
const TIME = "unix seconds of the years 2000 to 2100 (1698676800.123, not milliseconds), or a time with its offset";

// ---------------------------------------------------------------------------------------------- one trade
function wrong(name, value, expected) {
  let shown = "nothing";
  if (value !== undefined && value !== null) {
    try { shown = typeof value === "string" ? JSON.stringify(value) : String(value); } catch { shown = "something"; }
  }
  return new Error(`${name}: got ${shown.slice(0, 80)}, expected ${expected}`);
}

function text(name, value, most) {
  if (typeof value !== "string" || !value.trim() || [...value].length > most || !/^(?:[^\p{C}\p{Z}]| )+$/u.test(value)) {
    throw wrong(name, value, `text of 1 to ${most} printable characters`);
  }
  return value;
}

const identifier = (name, value) =>
  (Number.isSafeInteger(value) && value >= 0) || (typeof value === "bigint" && value >= 0n && value < 10n ** 18n)
    ? String(value) : text(name, value, 200);

function word(name, value, words) {
  const found = words.find((each) => typeof value === "string" && value.toLowerCase() === each.toLowerCase());
  if (found === undefined) throw wrong(name, value, words.join(" or "));
  return found;
}

/** A JSON number stays one; decimal text and BigInt become text, which keeps every digit. */
function number(name, value, expected, isRight) {
  const exact = typeof value === "bigint" ? String(value) : value;
  const isText = typeof exact === "string" && /^-?\d{1,15}(\.\d{1,30})?$/.test(exact);
  if (!isText && (typeof exact !== "number" || !Number.isFinite(exact) || Math.abs(exact) >= 1e15)) {
    throw wrong(name, value, expected);
  }
  if (!isRight(Number(exact))) throw wrong(name, value, expected);
  return exact;
}

function seconds(value) {
  let found = value;
  if (value instanceof Date) found = value.getTime() / 1000;
  else if (typeof value === "string" && /^\d{1,18}(\.\d{1,18})?$/.test(value)) found = Number(value);
  else if (typeof value === "string" && /(Z|[+-]\d\d:\d\d)$/i.test(value)) found = Date.parse(value) / 1000;
  if (typeof found !== "number" || !(found >= 946_684_800 && found < 4_102_444_800)) throw wrong("timestamp", value, TIME);
  return found;
}

function ticker(value) {
  if (typeof value !== "string" || !/^[A-Za-z0-9._-]{1,100}$/.test(value) || /^\.*$/.test(value)) {
    throw wrong("ticker", value, "the exchange's ticker: up to 100 letters, digits, dots, hyphens, underscores");
  }
  return value;
}

const OPTIONAL = {
  outcome: (value) => word("outcome", value, ["yes", "no"]),
  fee: (value) => number("fee", value, "dollars for the whole trade", () => true),
  order_id: (value) => identifier("order_id", value),
  strategy: (value) => text("strategy", value, 100),
};
const FIELDS = new Set(["trade_id", "ticker", "side", "quantity", "price", "timestamp", ...Object.keys(OPTIONAL)]);

/** The trade as JSON. Throws a sentence for a required field; `problem` gets one for each optional field left out. */
function tradeRow(fields, problem) {
  if (fields === null || typeof fields !== "object") throw wrong("trade", fields, "an object with the trade's fields");
  const unknown = Object.keys(fields).find((name) => !FIELDS.has(name));
  if (unknown !== undefined) throw new Error(`unknown field ${JSON.stringify(unknown)}, expected ${[...FIELDS].join(", ")}`);
  const row = {
    trade_id: identifier("trade_id", fields.trade_id),
    ticker: ticker(fields.ticker),
    side: word("side", fields.side, ["BUY", "SELL"]),
    quantity: number("quantity", fields.quantity, "contracts, above 0", (value) => value > 0),
    price: number("price", fields.price, "dollars per contract between 0 and 1 (0.65, not 65)", (value) => value >= 0 && value <= 1),
    timestamp: seconds(fields.timestamp),
  };
  for (const [name, read] of Object.entries(OPTIONAL)) {
    if (fields[name] === undefined || fields[name] === null) continue;
    try { row[name] = read(fields[name]); } catch (error) { problem(`trade: ${error.message}; it is left out`); }
  }
  return row;
}

// ---------------------------------------------------------------------------------------------- the newest trades
const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  for (let bit = 0; bit < 8; bit += 1) byte = byte & 1 ? (byte >>> 1) ^ 0xedb88320 : byte >>> 1;
  return byte;
});

function crc32(data) {
  let crc = 0xffffffff;
  for (const byte of data) crc = CRC_TABLE[(crc ^ byte) & 0xff] ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}

function line(record) {
  const data = Buffer.from(JSON.stringify(record));
  return Buffer.concat([Buffer.from(`${crc32(data).toString(16).padStart(8, "0")} `), data, Buffer.from("\n")]);
}

/** The newest trades of a run. A run begins with the file, so it outlives the process. */
class NewestTrades {
  constructor(run) { this.run = run; this.count = 0; this.rows = new Map(); this.numbers = new Map(); }

  /** The number of the trade; null where it is known as it stands. Other facts of a known trade replace it. */
  add(row, at, ignoreTime) {
    let known = this.numbers.get(row.trade_id);
    if (known !== undefined) {
      const facts = (each) => JSON.stringify(Object.entries(ignoreTime ? { ...each, timestamp: 0 } : each).sort());
      if (facts(JSON.parse(this.rows.get(known).text)) === facts(row)) return null;
    } else known = this.count + 1;
    this.put(known, row, at);
    return known;
  }

  put(number, row, at) {
    this.count = Math.max(this.count, number);
    this.numbers.set(row.trade_id, number);
    this.rows.set(number, { id: row.trade_id, text: JSON.stringify(row), at });
    while (this.rows.size > KEPT) {
      const [oldest, { id }] = this.rows.entries().next().value;
      this.rows.delete(oldest);
      this.numbers.delete(id);
    }
  }

  line(number) {
    return line({ run: this.run, n: number, ...(number ? { trade: JSON.parse(this.rows.get(number).text) } : { count: this.count }) });
  }

  lines() { return [this.line(0), ...[...this.rows.keys()].map((number) => this.line(number))]; }

  body(texts) {
    return `{"trades":[${texts.join(",")}],"started_at":${JSON.stringify(this.run)},"trade_count":${this.count}}`;
  }

  listed(now) {
    const rows = [...this.rows.values()].reverse();
    return rows.filter((row, place) => place < LISTED || now - row.at < LISTED_MS).map((row) => row.text);
  }

  /** What to push, newest first: the trade that the receiver knows and all newer ones; else the newest ones. */
  after(anchor) {
    const numbers = [...this.rows.keys()];
    const behind = anchor === null ? LISTED : Math.max(PUSHED_MIN, numbers.filter((each) => each >= anchor).length);
    const chosen = numbers.slice(Math.max(0, numbers.length - behind));
    if (anchor === null) chosen.reverse();
    let room = PUSHED_BYTES;
    const fitting = [];
    for (const each of chosen) {
      room -= Buffer.byteLength(this.rows.get(each).text) + 1;
      if (room < 0) break;
      fitting.push(each);
    }
    fitting.sort((a, b) => b - a);
    return [fitting.map((each) => this.rows.get(each).text), fitting[0]];
  }
}

/** The trades of a file, as far as its lines are whole; null where no line is. */
function newestFrom(data, at) {
  const records = [];
  for (let start = 0; start < data.length; ) {
    const found = data.indexOf(10, start), end = found < 0 ? data.length : found;
    const content = data.subarray(start + 9, end), check = data.toString("latin1", start, start + 9);
    start = end + 1;
    if (!/^[0-9a-f]{8} $/.test(check) || crc32(content) !== parseInt(check, 16)) continue;
    try {
      const record = JSON.parse(content.toString());
      if (typeof record?.run === "string" && Number.isSafeInteger(record.n)) records.push(record);
    } catch { continue; }
  }
  if (records.length === 0) return null;
  const trades = new NewestTrades(records.at(-1).run), rows = new Map();
  for (const record of records.filter((each) => each.run === trades.run)) {
    trades.count = Math.max(trades.count, record.n, record.count ?? 0);
    if (record.n) rows.set(record.n, record.trade);
  }
  for (const number of [...rows.keys()].sort((a, b) => a - b).slice(-KEPT)) trades.put(number, rows.get(number), at);
  return trades;
}

// ---------------------------------------------------------------------------------------------- the file
class FileInUse extends Error {}
const LOCKED_HERE = new Set();

/** When a process began, so that another one with its number is told apart; "" where the system does not say. */
function startOf(pid) {
  try { return fs.readFileSync(`/proc/${pid}/stat`, "latin1").split(") ").at(-1).split(" ")[19]; } catch { return ""; }
}

function holds(lock) {
  const [pid, start] = lock.split(" ");
  if (!/^\d+$/.test(pid) || Number(pid) === process.pid) return false;
  try { process.kill(Number(pid), 0); } catch (error) { if (error.code !== "EPERM") return false; }
  return start === startOf(pid);
}

/** Lines that are appended with one write each, so that a kill loses none. */
class TradeFile {
  constructor(name) { this.path = path.resolve(name); this.lines = 0; this.fd = null; this.size = 0; this.torn = false; this.isLocked = false; }

  /** Lock the file, cut a torn last line, and return what is in it. */
  open() {
    fs.mkdirSync(path.dirname(this.path), { recursive: true });
    this.lock();
    this.fd = fs.openSync(this.path, "a+", 0o600);
    const data = fs.readFileSync(this.path);
    this.size = data.lastIndexOf(10) + 1;
    if (this.size < data.length) fs.ftruncateSync(this.fd, this.size);
    this.lines = data.filter((byte) => byte === 10).length;
    return data;
  }

  /** A file with the number of its process, because Node has no locks. A lock of a process that ended is taken over. */
  lock() {
    if (this.isLocked) return;
    const name = `${this.path}.pid`, own = `${process.pid} ${startOf(process.pid)}`, draft = `${name}.${randomUUID()}`;
    const refuse = () => { throw new FileInUse(`${this.path} is in use by another process`); };
    if (LOCKED_HERE.has(this.path)) refuse();
    fs.writeFileSync(draft, own);
    try {
      for (let attempt = 0; attempt < 3 && !this.isLocked; attempt += 1) {
        try { fs.linkSync(draft, name); this.isLocked = true; } catch (error) {
          if (error.code !== "EEXIST") throw error;
          let seen = "";
          try { seen = fs.readFileSync(name, "latin1"); } catch { continue; }
          if (holds(seen)) refuse();
          try {
            fs.renameSync(name, `${draft}.old`);
            if (fs.readFileSync(`${draft}.old`, "latin1") !== seen) fs.linkSync(`${draft}.old`, name); // it was new
          } catch { /* another process was faster */ }
        }
      }
    } finally {
      fs.rmSync(draft, { force: true });
      fs.rmSync(`${draft}.old`, { force: true });
    }
    if (!this.isLocked) refuse();
    LOCKED_HERE.add(this.path);
  }

  append(data) {
    const whole = this.torn ? Buffer.concat([Buffer.from("\n"), data]) : data;
    let written = 0;
    try {
      written = fs.writeSync(this.fd, whole);
      if (written < whole.length) throw Object.assign(new Error("short write"), { code: "ENOSPC" });
    } catch (error) {
      try { fs.ftruncateSync(this.fd, this.size); } catch { this.torn = true; }
      throw error;
    }
    this.size += written;
    this.torn = false;
    this.lines += data.filter((byte) => byte === 10).length;
  }

  async writeCopy(lines) {
    const copy = await fs.promises.open(`${this.path}.new`, "w", 0o600);
    try { await copy.writeFile(Buffer.concat(lines)); await copy.sync(); } finally { await copy.close(); }
  }

  takeCopy(later) {
    fs.appendFileSync(`${this.path}.new`, Buffer.concat(later));
    fs.renameSync(`${this.path}.new`, this.path);
    fs.closeSync(this.fd);
    this.fd = null;
    this.open();
  }

  setAside() {
    const name = `${this.path}.unreadable-${Date.now()}`;
    fs.renameSync(this.path, name);
    fs.closeSync(this.fd);
    this.fd = null;
    this.open();
    return name;
  }

  close() {
    if (this.fd !== null) fs.closeSync(this.fd);
    this.fd = null;
    if (this.isLocked) fs.rmSync(`${this.path}.pid`, { force: true });
    if (this.isLocked) LOCKED_HERE.delete(this.path);
    this.isLocked = false;
  }
}

// ---------------------------------------------------------------------------------------------- the push
function keyOf(secret) {
  const data = secret.slice(6), key = Buffer.from(data, "base64");
  if (!secret.startsWith("whsec_") || key.toString("base64") !== data || key.length < 24 || key.length > 64) {
    throw new Error("secret: expected whsec_ and the base64 of 24 to 64 random bytes");
  }
  return key;
}

function detailOf(answer) {
  try {
    const { detail } = JSON.parse(answer);
    return typeof detail === "string" ? `: ${detail.slice(0, 200).replace(/[^\P{C}]/gu, " ")}` : "";
  } catch { return ""; }
}

/** Sends signed bodies over one connection (Standard Webhooks 1.0.0), and concludes when to try again. */
class SignedPush {
  #keys; #url; #client; #agent; #clock; #ahead = 0; #unanswered = null;
  failures = 0; problem = null; waitMs = 0;

  constructor(url, secret, clock) {
    try { this.#url = new URL(url); } catch { throw new Error("url: expected an address such as https://example.com"); }
    const { protocol, hostname, username, password, search, hash } = this.#url;
    const isNear = ["localhost", "127.0.0.1", "[::1]"].includes(hostname);
    if (protocol !== "https:" && !(protocol === "http:" && isNear)) throw new Error("url: expected an https address, or http on this machine");
    if (username || password || search || hash) throw new Error("url: expected an address without a user, a password or a query");
    this.#client = protocol === "https:" ? https : http;
    this.#agent = new this.#client.Agent({ keepAlive: true, maxSockets: 1 });
    this.#keys = String(secret).split(",").map((each) => keyOf(each.trim()));
    this.#clock = clock;
  }

  /** "published", "left" to the poller (also where it was refused for good), or "failed" for now. */
  async send(route, body) {
    if (this.#unanswered?.route !== route || this.#unanswered.body !== body) this.#unanswered = { route, body, id: `msg_${randomUUID()}` };
    let answer;
    try { answer = await this.#request(this.#unanswered); } catch (error) {
      return this.#failed(`${this.#url.hostname} does not answer (${error.code ?? error.message})`);
    }
    const { status, headers } = answer;
    if (status >= 200 && status < 300) {
      Object.assign(this, { failures: 0, problem: null, waitMs: 0 });
      this.#unanswered = null;
      return status === 202 ? "left" : "published";
    }
    const reason = `${this.#url.hostname} answered ${status}${detailOf(answer.body)}`;
    if ([404, 405, 410].includes(status)) {
      this.#failed(`${reason}. Push is not set up there; the bot is polled instead`);
      this.waitMs = ABSENT_MS;
    } else if (status === 401 || status === 403) this.#failed(this.#refusedSignature(reason, headers.date));
    else if (status >= 500 || status < 400 || [408, 425, 429].includes(status)) {
      this.#failed(reason);
      if (/^\d{1,9}$/.test(headers["retry-after"] ?? "")) this.waitMs = Math.max(this.waitMs, Math.min(RETRY_AFTER_MAX_MS, 1000 * headers["retry-after"]));
    } else {
      this.#failed(reason); // it would be refused again, so this body is left to the poller
      this.#unanswered = null;
      return "left";
    }
    return "failed";
  }

  close() { this.#agent.destroy(); }

  #request(push, isRepeated = false) {
    const at = String(Math.floor(this.#clock() + this.#ahead));
    const digest = (key) => createHmac("sha256", key).update(`${push.id}.${at}.${push.body}`).digest("base64");
    const headers = {
      "content-type": "application/json", "content-length": Buffer.byteLength(push.body), "user-agent": "coliseum-reporter/1",
      "webhook-id": push.id, "webhook-timestamp": at, "webhook-signature": this.#keys.map((key) => `v1,${digest(key)}`).join(" "),
    };
    const base = this.#url.pathname.replace(/\/+$/, "").replace(/\/api\/python$/, "");
    const options = { method: "POST", path: `${base}/api/python/bot/${push.route}`, headers, agent: this.#agent };
    return new Promise((resolve, reject) => {
      const request = this.#client.request(this.#url, options, (response) => {
        let body = "";
        response.setEncoding("utf8");
        response.on("data", (part) => { body = (body + part).slice(0, 65_536); });
        response.on("end", () => resolve({ status: response.statusCode, headers: response.headers, body }));
        response.on("error", reject);
      });
      const late = setTimeout(() => request.destroy(Object.assign(new Error("time-out"), { code: "ETIMEDOUT" })), TIMEOUT_MS);
      late.unref();
      request.on("close", () => clearTimeout(late));
      request.on("socket", (socket) => socket.unref()); // a program that has nothing else to do may end
      request.on("error", (error) => {
        const isStale = request.reusedSocket && error.code === "ECONNRESET" && !isRepeated; // closed while it was idle
        if (isStale) this.#request(push, true).then(resolve, reject);
        else reject(error);
      });
      request.end(push.body);
    });
  }

  #failed(problem) {
    this.waitMs = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.min(this.failures, 20)) * (0.5 + Math.random() / 2);
    this.failures += 1;
    this.problem = problem;
    return "failed";
  }

  #refusedSignature(reason, date) {
    const ahead = Date.parse(date ?? "") / 1000 - this.#clock();
    if (!Number.isFinite(ahead)) return reason;
    this.#ahead = Math.abs(ahead) > CLOCK_TOLERANCE_SECONDS ? ahead : 0;
    if (!this.#ahead) return `${reason}. The clocks agree, so check the secret`;
    const host = this.#url.hostname, side = ahead > 0 ? "behind" : "ahead of";
    return `${reason}. This machine's clock is ${Math.abs(ahead).toFixed(0)} s ${side} that of ${host}; pushes now use theirs`;
  }
}

// ---------------------------------------------------------------------------------------------- the bot's side
const REPORTERS = new Set();
process.on("beforeExit", () => Promise.all([...REPORTERS].map((each) => each.close())));
process.on("exit", () => REPORTERS.forEach((each) => each.closeFile()));
const now = () => performance.now();

/** Reports one bot. Nothing throws. One file belongs to one process; a second one takes over when the first has ended. */
export class Reporter {
  #options; #clock; #log; #file; #newest; #isOpen = false; #wasOpen = false; #isWaiting = false; #isShortening = false;
  #unsaved = []; #sinceCopy = null; #server = null; #isListening = false; #push = null; #isPushing = null; #closed = false;
  #status = {}; #version = 0; #pushedVersion = 0; #pushedMode; #run = null; #pushed = 0; #anchor = null;
  #due = { file: 0, shorten: 0, port: 0, push: 0, status: 0 }; #problems = new Map(); #refusals = new Set(); #timer = null;
  refused = 0;

  /**
   * @param {object} [options]
   * @param {string | null} [options.file] where the trades are kept; null: in memory only, so that a restart begins a new run
   * @param {number | null} [options.port] where the bot is asked (9000); 0: any free port; null: none
   * @param {string} [options.host] 127.0.0.1
   * @param {string} [options.url] the address of the deployment, to push each trade at once
   * @param {string} [options.secret] its BOT_WEBHOOK_SECRET
   * @param {() => number} [options.clock] returns unix seconds
   * @param {(sentence: string) => void} [options.log] console.warn
   */
  constructor(options = {}) {
    this.#options = { file: "coliseum-trades.log", port: 9000, host: "127.0.0.1", ...options };
    this.#clock = options.clock ?? (() => Date.now() / 1000);
    this.#log = options.log ?? ((sentence) => console.warn(`coliseum.reporter: ${sentence}`));
    this.#file = this.#options.file === null ? null : new TradeFile(String(this.#options.file));
    this.#newest = new NewestTrades(new Date(this.#clock() * 1000).toISOString());
    try {
      if (options.url != null || options.secret != null) this.#push = new SignedPush(options.url ?? "", options.secret ?? "", this.#clock);
    } catch (error) { this.#problem("push", `nothing is pushed: ${error.message}`); }
    REPORTERS.add(this);
    this.#tend();
  }

  /** The port on which the bot answers now; null where it does not (yet). */
  get port() { return this.#isListening ? this.#server.address().port : null; }

  /** What does not work now, as sentences, by what it concerns: file, copy, port, push. */
  get problems() { return Object.fromEntries(this.#problems); }

  /** Report an execution with the fields of GET /trades. True: it is recorded, or was before. */
  trade(fields) {
    return this.#safely("trade", () => {
      const given = { ...fields };
      const ignoreTime = given.timestamp == null;
      if (ignoreTime) given.timestamp = this.#clock();
      if (given.trade_id == null) given.trade_id = randomUUID();
      const row = tradeRow(given, (sentence) => this.#refuse(sentence));
      const number = this.#newest.add(row, now(), ignoreTime);
      if (number === null) return;
      if (this.#isOpen) this.#save(this.#newest.line(number));
      this.#soon(0);
    });
  }

  /** Say what the bot does. A field keeps its value until it is given again. */
  status(fields) {
    return this.#safely("status", () => {
      const said = JSON.stringify(fields, (_, value) => {
        if (typeof value === "number" && !Number.isFinite(value)) throw new Error(`got ${value}, expected JSON`);
        return value;
      });
      if (said === undefined || said[0] !== "{") throw wrong("status", fields, "an object");
      if (said.length > 1_000_000) throw new Error(`got ${said.length} characters, expected at most 1000000`);
      const given = JSON.parse(said); // a copy, which the bot cannot change meanwhile
      if (given.mode != null) given.mode = word("mode", given.mode, ["paper", "live"]);
      const merged = { ...this.#status, ...given };
      if (JSON.stringify(merged) === JSON.stringify(this.#status)) return;
      this.#status = merged;
      this.#version += 1;
      this.#soon(0);
    });
  }

  /** The body of GET /health, /status or /trades, for a web server of your own; null for another path. */
  answer(route) {
    if (route === "/trades") return this.#newest.body(this.#newest.listed(now()));
    const run = { started_at: this.#newest.run, trade_count: this.#newest.count };
    if (route === "/health") return JSON.stringify({ status: "alive", mode: this.#status.mode ?? null, ...run });
    return route === "/status" ? this.#statusBody() : null;
  }

  /** Push what is left, within a second, and end. The trades stay on disk. */
  async close() {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#timer);
    const end = now() + CLOSE_MS;
    let timer;
    const late = new Promise((resolve) => { timer = setTimeout(resolve, CLOSE_MS); });
    const rest = async () => {
      await this.#isPushing;
      while (now() < end && !this.#push?.failures && (await this.#pushOnce(true)));
    };
    await Promise.race([rest().catch(() => {}), late]);
    clearTimeout(timer);
    this.#push?.close();
    this.#server?.close();
    this.#server?.closeAllConnections?.();
    this.#isListening = false;
    this.closeFile();
  }

  /** Write what a full disk refused, and close the file. */
  closeFile() {
    this.#closed = true;
    REPORTERS.delete(this);
    if (this.#isOpen) this.#write();
    try { this.#file?.close(); } catch { /* the program ends */ }
    this.#isOpen = false;
  }

  #safely(name, act) {
    try {
      if (this.#closed) throw new Error("the reporter is closed");
      act();
      return true;
    } catch (error) {
      let said = "an error that cannot be shown";
      try { said = String(error?.message ?? error); } catch { /* it cannot be shown */ }
      this.#refuse(`${name}: ${said}`);
      return false;
    }
  }

  #refuse(sentence) {
    this.refused += 1;
    if (this.#refusals.has(sentence) || this.#refusals.size >= REFUSALS_LOGGED) return;
    this.#refusals.add(sentence);
    this.#say(sentence);
  }

  #say(sentence) { try { this.#log(sentence); } catch { /* the bot's log may throw */ } }

  #problem(concerns, sentence) {
    if (this.#problems.get(concerns) === sentence) return;
    this.#problems.set(concerns, sentence);
    this.#say(sentence);
  }

  #solve(concerns) { if (this.#problems.delete(concerns)) this.#say(`${concerns}: works again`); }

  #statusBody() {
    const own = { version: 1, refused: this.refused, problems: [...this.#problems.values()], pushes: this.#push !== null };
    return JSON.stringify({ ...this.#status, reporter: own });
  }

  /** Look after file, port and push in `ms`. The timer does not keep the program alive. */
  #soon(ms) {
    clearTimeout(this.#timer);
    if (!this.#closed) this.#timer = setTimeout(() => this.#tend(), ms).unref();
  }

  #tend() {
    if (this.#closed) return;
    const waits = [];
    try {
      waits.push(this.#tendFile(), this.#tendPort());
      this.#tendPush();
      if (this.#push !== null && this.#hasPush()) waits.push(Math.max(10, this.#due.push - now()), Math.max(10, this.#due.status - now()));
      this.#solve("worker");
    } catch (error) {
      this.#problem("worker", `a task failed and is tried again: ${error.message}`);
      waits.push(FILE_MS);
    }
    const known = waits.filter((each) => each !== null);
    if (known.length) this.#soon(Math.min(...known));
  }

  #tendFile() {
    if (this.#file === null) return null;
    if (!this.#isOpen || this.#unsaved.length) {
      if (now() < this.#due.file) return this.#due.file - now();
      this.#due.file = now() + FILE_MS;
      if (this.#isOpen) this.#write(); else this.#open();
      return this.#isOpen && !this.#unsaved.length ? null : FILE_MS;
    }
    if (this.#file.lines >= 2 * KEPT && !this.#isShortening && now() >= this.#due.shorten) this.#shorten();
    return null;
  }

  #open() {
    let data, loaded;
    try {
      data = this.#file.open();
      loaded = newestFrom(data, now());
      if (loaded === null && data.length) this.#say(`${this.#file.path} could not be read and is kept as ${this.#file.setAside()}`);
    } catch (error) {
      try { this.#file.close(); } catch { /* it was not open */ }
      this.#isWaiting = error instanceof FileInUse;
      this.#problem("file", this.#isWaiting ? `${error.message}: this one answers and pushes nothing until the other has ended`
        : `${this.#file.path} cannot be used, trades are kept in memory: ${error.code ?? error.message}`);
      return;
    }
    const own = this.#newest;
    let lines;
    if (loaded === null) lines = own.lines();
    else if (this.#wasOpen) lines = [...own.rows.keys()].filter((each) => loaded.rows.get(each)?.text !== own.rows.get(each).text).map((each) => own.line(each));
    else {
      loaded.count += own.count - own.rows.size; // what was forgotten before there was a file
      const numbers = [...own.rows.values()].map((row) => loaded.add(JSON.parse(row.text), row.at, false));
      lines = numbers.filter((each) => each !== null).map((each) => loaded.line(each));
      this.#newest = loaded;
    }
    this.#isOpen = this.#wasOpen = true;
    this.#isWaiting = false;
    this.#unsaved = [];
    this.#solve("file");
    if (lines.length) this.#save(Buffer.concat(lines));
  }

  #save(lines) {
    this.#unsaved.push(lines);
    this.#sinceCopy?.push(lines);
    if (this.#unsaved.length === 1) this.#write();
    if (this.#unsaved.length > 2 * KEPT) this.#unsaved.shift();
  }

  #write() {
    if (!this.#unsaved.length) return;
    try {
      this.#file.append(Buffer.concat(this.#unsaved));
      this.#unsaved = [];
      this.#solve("file");
    } catch (error) {
      this.#problem("file", `${this.#file.path} cannot be written, trades are kept in memory and written later: ${error.code ?? error.message}`);
    }
  }

  async #shorten() {
    this.#isShortening = true;
    const lines = this.#newest.lines();
    this.#sinceCopy = [];
    try {
      await this.#file.writeCopy(lines);
      if (!this.#isOpen) return; // closed meanwhile
      try { this.#file.takeCopy(this.#sinceCopy); } catch (error) {
        this.#file.close();
        this.#isOpen = false; // it is opened again, and then gets what it lacks
        throw error;
      }
      this.#unsaved = []; // the copy has it
      this.#solve("copy");
    } catch (error) {
      this.#due.shorten = now() + SHORTEN_MS;
      this.#problem("copy", `${this.#file.path} grows, because it cannot be written anew: ${error.code ?? error.message}`);
    } finally {
      this.#sinceCopy = null;
      this.#isShortening = false;
      this.#soon(0);
    }
  }

  #tendPort() {
    if (this.#server !== null || this.#options.port === null || this.#isWaiting) return null;
    if (now() < this.#due.port) return this.#due.port - now();
    this.#due.port = now() + PORT_MS;
    const failed = (error) => {
      this.#server = null;
      this.#isListening = false;
      const rest = this.#push === null ? "nobody can ask the bot" : "trades are pushed only";
      this.#problem("port", `port ${this.#options.port} of ${this.#options.host} cannot be used, ${rest}: ${error.code ?? error.message}`);
      this.#soon(PORT_MS);
    };
    const server = http.createServer((request, response) => this.#respond(request, response));
    server.maxConnections = CONNECTIONS;
    server.keepAliveTimeout = 30_000;
    server.on("error", failed); // without a listener it would end the bot
    server.on("connection", (socket) => socket.unref());
    server.on("listening", () => { this.#isListening = true; this.#solve("port"); });
    this.#server = server;
    try { server.listen(this.#options.port, this.#options.host).unref(); } catch (error) { failed(error); }
    return null;
  }

  #respond(request, response) {
    const body = request.method === "GET" ? this.answer(request.url.split("?")[0]) : null;
    response.statusCode = body === null ? 404 : 200;
    response.setHeader("content-type", "application/json");
    response.setHeader("cache-control", "no-store");
    if (this.#status.mode) response.setHeader("x-bot-mode", this.#status.mode);
    response.end(body ?? '{"detail":"there are /health, /status and /trades"}');
  }

  #hasPush() {
    if (this.#newest.run !== this.#run) [this.#run, this.#pushed, this.#anchor] = [this.#newest.run, 0, null];
    return this.#newest.count > this.#pushed || this.#version > this.#pushedVersion;
  }

  #tendPush() {
    if (this.#push === null || this.#isPushing || this.#isWaiting || now() < this.#due.push) return;
    this.#isPushing = this.#pushOnce(false).catch(() => true).then((hasMore) => {
      this.#isPushing = null;
      if (hasMore) this.#soon(Math.max(0, this.#due.push - now()));
    });
  }

  /** Push once, if something is due. True: there may be more. */
  async #pushOnce(isLast) {
    if (this.#push === null || this.#isWaiting || !this.#hasPush()) return false;
    const newest = this.#newest, version = this.#version, { mode } = this.#status;
    let result;
    if (newest.count > this.#pushed && newest.rows.size) {
      const [rows, number] = newest.after(this.#anchor);
      result = await this.#push.send("trades", newest.body(rows));
      if (result !== "failed") [this.#pushed, this.#anchor] = [number, result === "published" ? number : null];
    } else {
      if (mode === this.#pushedMode && now() < this.#due.status && !isLast) return true;
      result = await this.#push.send("status", this.#statusBody());
      if (result !== "failed") [this.#pushedVersion, this.#pushedMode, this.#due.status] = [version, mode, now() + STATUS_MS];
    }
    this.#due.push = now() + this.#push.waitMs;
    if (this.#push.problem === null) this.#solve("push");
    else this.#problem("push", `trades are not pushed: ${this.#push.problem}`);
    return true;
  }
}
