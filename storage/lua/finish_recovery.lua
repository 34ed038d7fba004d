--[[ Every living order is recorded again: believe this store from now on, under the new epoch.
KEYS[1..9]  state tiers units free holds deadlines buying people purchases
ARGV[1]   incarnation  the one this connection saw
ARGV[2]   epoch        of this recovery
Replies   RECOVERED version | RECOVERING | UNKNOWN
]]
-- @include enter change
local refusal = enter(ARGV[1], ARGV[2])
if refusal then return refusal end
redis.call('HSET', STATE, 'incarnation', ARGV[1], 'epoch', ARGV[2])
redis.call('HDEL', STATE, 'mark', 'mark_ms')
changed()
return {'RECOVERED', redis.call('HGET', STATE, 'version')}
