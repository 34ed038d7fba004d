--[[ Remember that a person may have an entry or a hold at a concert. Adding it again changes nothing.
KEYS      person
ARGV[1]   concert
ARGV[2]   expire_at_ms  when the keys of the concert expire, unix ms
ARGV[3]   limit         the most concerts to remember: those that expire first go
Replies   ADDED
]]
redis.call('ZADD', KEYS[1], 'GT', ARGV[2], ARGV[1])
redis.call('ZREMRANGEBYRANK', KEYS[1], 0, -ARGV[3] - 1)
local last = redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')
redis.call('PEXPIREAT', KEYS[1], string.format('%d', last[2]))
return {'ADDED'}
