-- Gives leased timers back, where the lease is still the one that was handed out. One that was set anew in the
-- meantime keeps its newer time.
-- KEYS: due, lease and at of each shard, one shard after another. ARGV: number of the shard, id, fencing token and due
-- time of each timer, in turn.
for i = 1, #ARGV, 4 do
  local first = 3 * tonumber(ARGV[i])
  local due, lease, at = KEYS[first - 2], KEYS[first - 1], KEYS[first]
  local id, token = ARGV[i + 1], tonumber(ARGV[i + 2])
  if tonumber(redis.call('ZSCORE', lease, id) or -1) == token then
    redis.call('ZREM', lease, id)
    redis.call('HDEL', at, id)
    redis.call('ZADD', due, 'NX', ARGV[i + 3], id)
  end
end
return 1
