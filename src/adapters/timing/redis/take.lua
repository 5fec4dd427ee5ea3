-- Takes one from a rate: the generic cell rate algorithm, as gcra.rs has it. The key holds the theoretical arrival
-- time in microseconds and lives until that has passed.
-- KEYS: the taker. ARGV: the time in which one comes back, and the tolerance, both in microseconds.
-- Answers 0 when it is allowed, or else how many microseconds to wait.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local interval, tolerance = tonumber(ARGV[1]), tonumber(ARGV[2])

local arrival = tonumber(redis.call('GET', KEYS[1]) or 0)
arrival = math.min(math.max(arrival, now), now + tolerance + interval)
local ahead = arrival - now
if ahead > tolerance then
  return ahead - tolerance
end
redis.call('SET', KEYS[1], string.format('%.0f', arrival + interval), 'PX', math.ceil((ahead + interval) / 1000))
return 0
