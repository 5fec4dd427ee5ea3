-- Leases timers that are due: first those whose lease has run out, then those that are due for the first time.
-- KEYS: due, lease and at of each shard, one shard after another. ARGV: how many at most; the lease in microseconds.
-- Answers: the end of the lease, which is its fencing token; in how many microseconds there is something to look at
-- again (-1: nothing is set); then id and due time of each timer, in turn.
-- Numbers are turned into text by exact(), because Lua's own way keeps 14 digits only.

local function exact(number)
  return string.format('%.0f', number)
end

local function head(key)
  return tonumber(redis.call('ZRANGE', key, 0, 0, 'WITHSCORES')[2])
end

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local left = tonumber(ARGV[1])
local ends = now + tonumber(ARGV[2])

local answer = { ends, -1 }
local leased = {}
local lease_heads, due_heads = {}, {}

-- Writes the leases of a shard. The bound on one call keeps the arguments below what Lua can unpack.
local function hand_out(lease, at, ids, times)
  local scores, fields = {}, {}
  for i, id in ipairs(ids) do
    scores[2 * i - 1], scores[2 * i] = exact(ends), id
    fields[2 * i - 1], fields[2 * i] = id, times[i]
    answer[#answer + 1], answer[#answer + 2] = id, times[i]
    leased[id] = true
  end
  redis.call('ZADD', lease, unpack(scores))
  redis.call('HSET', at, unpack(fields))
  left = left - #ids
end

for i = 1, #KEYS, 3 do
  local lease, at = KEYS[i + 1], KEYS[i + 2]
  local first = head(lease)
  if first and first <= now and left > 0 then
    local ids = redis.call('ZRANGEBYSCORE', lease, '-inf', exact(now), 'LIMIT', 0, left)
    local times = redis.call('HMGET', at, unpack(ids))
    for j = 1, #ids do
      times[j] = times[j] or exact(now)
    end
    hand_out(lease, at, ids, times)
    first = head(lease)
  end
  lease_heads[i] = first
end

for i = 1, #KEYS, 3 do
  local due, lease, at = KEYS[i], KEYS[i + 1], KEYS[i + 2]
  local first = head(due)
  if first and first <= now and left > 0 then
    local found = redis.call('ZRANGEBYSCORE', due, '-inf', exact(now), 'WITHSCORES', 'LIMIT', 0, left)
    local all, ids, times = {}, {}, {}
    for j = 1, #found, 2 do
      local id = found[j]
      all[#all + 1] = id
      -- One that was set anew beside a lease that has run out by now is the same look.
      if not leased[id] then
        ids[#ids + 1], times[#times + 1] = id, exact(tonumber(found[j + 1]))
      end
    end
    redis.call('ZREM', due, unpack(all))
    if #ids > 0 then
      hand_out(lease, at, ids, times)
      lease_heads[i] = math.min(lease_heads[i] or ends, ends)
    end
    first = head(due)
  end
  due_heads[i] = first
end

local soonest = nil
for i = 1, #KEYS, 3 do
  for _, head_at in ipairs({ lease_heads[i] or false, due_heads[i] or false }) do
    if head_at and (not soonest or head_at < soonest) then
      soonest = head_at
    end
  end
end
if soonest then
  answer[2] = math.max(soonest - now, 0)
end
return answer
