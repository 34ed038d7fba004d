--[[ Record that a person may have an entry or a hold at a concert. Adding the concert again can
only postpone its expiry.
KEYS      person
ARGV[1]   concert
ARGV[2]   expire_at_ms  when the keys of the concert expire, unix ms
ARGV[3]   limit         maximum per person; those that expire first are removed, but never this one
Replies   ADDED
]]
local concert, limit = ARGV[1], tonumber(ARGV[3])
redis.call('ZADD', KEYS[1], 'GT', ARGV[2], concert)
local surplus = redis.call('ZCARD', KEYS[1]) - limit
if surplus > 0 then
  for _, other in ipairs(redis.call('ZRANGE', KEYS[1], 0, surplus)) do
    if other ~= concert and surplus > 0 then
      redis.call('ZREM', KEYS[1], other)
      surplus = surplus - 1
    end
  end
end
local last = redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')
redis.call('PEXPIREAT', KEYS[1], string.format('%d', last[2]))
return {'ADDED'}
