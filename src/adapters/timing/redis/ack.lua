-- Removes leases that are still the ones that were handed out.
-- KEYS: due, lease and at of each shard, one shard after another. ARGV: number of the shard, id and fencing token of
-- each timer, in turn.
for i = 1, #ARGV, 3 do
  local first = 3 * tonumber(ARGV[i])
  local lease, at = KEYS[first - 1], KEYS[first]
  local id, token = ARGV[i + 1], tonumber(ARGV[i + 2])
  if tonumber(redis.call('ZSCORE', lease, id) or -1) == token then
    redis.call('ZREM', lease, id)
    redis.call('HDEL', at, id)
  end
end
return 1
