-- Dedupe, append, trim, checkpoint and doorbell in one atomic step: no crash point lies between them.
-- KEYS: 1 stream  2 meta hash  3 seen: zset, identity by time  4 known: hash, identity -> its boot, time and digest
--       5 to 8 the same for a publisher that is not the owner of the first four; places.py has the same rules
-- ARGV: 1 now_ms  2 maxlen  3 seen_ttl_ms  4 epoch to start where none is  5 doorbell channels, joined by a line break
--       6 checkpoint ('' keeps the old)  7 bot state ('' keeps the old)
--       8 fences the publisher accepts, joined by commas  9 fence it leaves behind ('' = not fenced)
--       10 publisher's label ('' = not checked)  11 its label before it had a key  12 n, then n times:
--       key  digest  boot  at  kind  kind if corrected ('' = a repetition, whatever its digest)  value JSON
-- Returns: {epoch, head's ms, first seq, last seq, 1 for the second place, index of each published candidate ...},
--       or {''} where the fence moved
local place, head = 0, redis.call('HMGET', KEYS[2], 'epoch', 'seq', 'ms', 'fence', 'owner')
if ARGV[10] ~= '' and head[5] ~= ARGV[10] then
  local own = redis.call('HMGET', KEYS[6], 'epoch', 'seq', 'ms', 'fence', 'owner')
  -- A log of its own stays in use, also where the first place has become free in the meantime.
  if own[1] or (head[1] and head[5] and head[5] ~= ARGV[11]) then place, head = 1, own end
end
local stream, meta, seen, known = KEYS[4 * place + 1], KEYS[4 * place + 2], KEYS[4 * place + 3], KEYS[4 * place + 4]
local channel = string.match(ARGV[5], place == 0 and '^([^\n]*)\n' or '\n([^\n]*)$')
local now = tonumber(ARGV[1])
local fence = head[4] or ''
local accepted = ',' .. ARGV[8] .. ',' .. ARGV[9] .. ','
if ARGV[9] ~= '' and not string.find(accepted, ',' .. fence .. ',', 1, true) then
  -- Another publisher has moved the checkpoint on: what this one concluded rests on an old one.
  -- (Its own fence lies there where the very same call is repeated after a lost reply.)
  return { '' }
end
local epoch, seq, last_ms = head[1], tonumber(head[2]), tonumber(head[3])
if not epoch or not seq or not last_ms then
  -- A log without its counter cannot prove contiguity: begin a new epoch rather than guess.
  epoch, seq, last_ms = ARGV[4], 0, 0
  redis.call('DEL', stream, meta, seen, known)
  redis.call('HSET', meta, 'epoch', epoch, 'base_ms', ARGV[1])
end
local ms = math.max(now, last_ms) -- the publisher's clock may go back, ids may not
local first, entries, published, size = seq + 1, {}, {}, 0

local function id(number) return string.format('%.0f-%.0f', ms, number) end

-- What is remembered of a correctable happening. Lengths, not separators: boot and time are the bot's own text.
local function remembered(boot, happened, digest)
  return #boot .. ':' .. #happened .. ':' .. boot .. happened .. digest
end

local function recall(text)
  local boot_length, at_length, rest = string.match(text, '^(%d+):(%d+):(.*)$')
  local split, stop = tonumber(boot_length), tonumber(boot_length) + tonumber(at_length)
  return string.sub(rest, 1, split), string.sub(rest, split + 1, stop), string.sub(rest, stop + 1)
end

for i = 0, tonumber(ARGV[12]) - 1 do
  local at = 13 + 7 * i
  local key, digest, boot, happened = ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3]
  local kind, corrected, value = ARGV[at + 4], ARGV[at + 5], ARGV[at + 6]
  local use = nil
  -- GT: an identity that is still reported stays remembered, however old it grows.
  local added = redis.call('ZADD', seen, 'GT', now, key) == 1
  if added then
    use = kind
  elseif corrected ~= '' then
    local before = redis.call('HGET', known, key)
    if not before then
      -- Published from a second source so far, whose wording differs: the first own report is no correction.
      redis.call('HSET', known, key, remembered(boot, happened, digest))
    else
      local old_boot, old_at, old_digest = recall(before)
      if old_digest ~= digest then
        use = corrected
      end
      if use and old_boot ~= boot and old_at ~= happened then
        -- A known id from another run of the bot at another time is a new trade: ids began again. The one it
        -- displaces is remembered by its time, or a repetition of both would publish both again.
        use = not redis.call('ZSCORE', seen, key .. '@' .. happened) and kind or nil
        if use then redis.call('ZADD', seen, 'GT', now, key .. '@' .. old_at) end
      end
    end
  end
  if use then
    local text = '{"k":"' .. use .. '","v":' .. value .. '}'
    local appended = redis.pcall('XADD', stream, 'MAXLEN', ARGV[2], id(seq + 1), 'd', text)
    if type(appended) == 'table' and appended.err and string.find(appended.err, 'equal or smaller', 1, true) then
      -- The stream is ahead of its counter: one of the two was restored. Only a batch's first entry can meet this.
      epoch, seq, last_ms, ms, first = ARGV[4], 0, 0, now, 1
      redis.call('DEL', stream)
      redis.call('HSET', meta, 'epoch', epoch, 'base_ms', ARGV[1], 'seq', '0', 'ms', '0')
      appended = redis.pcall('XADD', stream, 'MAXLEN', ARGV[2], id(1), 'd', text)
    end
    if type(appended) == 'table' and appended.err then
      if added then redis.call('ZREM', seen, key) end -- not published, so not seen
      return appended
    end
    seq = seq + 1
    if corrected ~= '' then
      redis.call('HSET', known, key, remembered(boot, happened, digest))
    end
    entries[#entries + 1] = text
    published[#published + 1] = i
    size = size + #text
  end
end

local head_ms = #entries > 0 and ms or last_ms
local fields = { 'seq', string.format('%.0f', seq), 'ms', string.format('%.0f', head_ms) }
if ARGV[6] ~= '' then fields[#fields + 1] = 'checkpoint'; fields[#fields + 1] = ARGV[6] end
if ARGV[7] ~= '' then fields[#fields + 1] = 'bot'; fields[#fields + 1] = ARGV[7] end
if ARGV[9] ~= '' then fields[#fields + 1] = 'fence'; fields[#fields + 1] = ARGV[9] end
if ARGV[10] ~= '' then fields[#fields + 1] = 'owner'; fields[#fields + 1] = ARGV[10] end
redis.call('HSET', meta, unpack(fields))

if #entries > 0 then
  -- Not in every call, as each command is billed. 500 identities for 16 entries: more leave than come.
  if math.floor(seq / 16) > math.floor((first - 1) / 16) then
    local old = redis.call('ZRANGEBYSCORE', seen, '-inf', '(' .. (now - tonumber(ARGV[3])), 'LIMIT', 0, 500)
    if #old > 0 then
      redis.call('ZREM', seen, unpack(old))
      redis.call('HDEL', known, unpack(old))
    end
  end
  -- The doorbell names its predecessor, so that a reader knows when it missed one. Large news is fetched.
  local bell = '{"e":"' .. epoch .. '","p":' .. string.format('"%.0f-%.0f"', last_ms, first - 1)
    .. ',"m":' .. string.format('%.0f', ms) .. ',"s":' .. string.format('%.0f', first)
    .. ',"n":' .. #entries
  if size <= 32768 then bell = bell .. ',"d":[' .. table.concat(entries, ',') .. ']' end
  redis.call('PUBLISH', channel, bell .. '}')
end

local reply = { epoch, string.format('%.0f', head_ms), string.format('%.0f', first), string.format('%.0f', seq), place }
for _, index in ipairs(published) do reply[#reply + 1] = index end
return reply
