-- Holds tickets of one concert, all or nothing.
-- KEYS  1 stock hash (tier -> available)  2 idempotency key  3 hold key
-- ARGV  1 hold id  2 user  3 expiresAt (text)  4 TTL in ms, then pairs of tier and quantity
-- Returns {1, id, expiresAt} if the tickets are held, now or earlier with the same key, and
-- {0, available, ''} if a tier is sold out.
local earlier = redis.call('GET', KEYS[2])
if earlier then
  local cut = string.find(earlier, '|', 1, true)
  return {1, string.sub(earlier, 1, cut - 1), string.sub(earlier, cut + 1)}
end
for i = 5, #ARGV, 2 do
  local left = redis.call('HINCRBY', KEYS[1], ARGV[i], -ARGV[i + 1])
  if left < 0 then
    for j = 5, i, 2 do
      redis.call('HINCRBY', KEYS[1], ARGV[j], ARGV[j + 1])
    end
    return {0, left + ARGV[i + 1], ''}
  end
end
redis.call('HSET', KEYS[3], 'user', ARGV[2], 'expiresAt', ARGV[3], unpack(ARGV, 5))
redis.call('PEXPIRE', KEYS[3], ARGV[4])
redis.call('SET', KEYS[2], ARGV[1] .. '|' .. ARGV[3], 'PX', ARGV[4])
return {1, ARGV[1], ARGV[3]}
