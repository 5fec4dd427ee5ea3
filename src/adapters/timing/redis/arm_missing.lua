-- Sets timers where none is set or leased.
-- KEYS: due, lease and at of each shard, one shard after another. ARGV: number of the shard, id and due time of each
-- timer, in turn.
for i = 1, #ARGV, 3 do
  local first = 3 * tonumber(ARGV[i])
  local due, lease = KEYS[first - 2], KEYS[first - 1]
  local id = ARGV[i + 1]
  if not redis.call('ZSCORE', lease, id) then
    redis.call('ZADD', due, 'NX', ARGV[i + 2], id)
  end
end
return 1
