--[[ Whose things changed after a version, oldest change first. Looking lets the next change hint again.
KEYS      of the concert, in the order of keys.py
ARGV[1]   incarnation  the one this connection saw
ARGV[2]   version      the last one the reader knows
ARGV[3]   limit        the most people to name
Replies   CHANGES epoch version [person version]... | UNKNOWN | RECOVERING
]]
-- @include enter
local refusal = enter(ARGV[1], '')
if refusal then return refusal end
redis.call('HDEL', STATE, 'hinted_people')
local at = redis.call('HMGET', STATE, 'epoch', 'version')
local people = redis.call('ZRANGEBYSCORE', CHANGES, '(' .. ARGV[2], '+inf', 'WITHSCORES', 'LIMIT', 0, ARGV[3])
return {'CHANGES', at[1], at[2], unpack(people)}
