--[[ Read the concerts at which a person may have an entry or a hold, latest expiry first. Expired
ones are removed.
KEYS      person
ARGV[1]   limit
Replies   CONCERTS concert...
]]
local clock = redis.call('TIME')
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', clock[1] * 1000)
local reply = {'CONCERTS'}
for _, concert in ipairs(redis.call('ZRANGE', KEYS[1], 0, ARGV[1] - 1, 'REV')) do reply[#reply + 1] = concert end
return reply
