-- Removes timers, set or leased.
-- KEYS: due, lease and at of each shard, one shard after another. ARGV: number of the shard and id of each timer, in
-- turn.
for i = 1, #ARGV, 2 do
  local first = 3 * tonumber(ARGV[i])
  local id = ARGV[i + 1]
  redis.call('ZREM', KEYS[first - 2], id)
  redis.call('ZREM', KEYS[first - 1], id)
  redis.call('HDEL', KEYS[first], id)
end
return 1
