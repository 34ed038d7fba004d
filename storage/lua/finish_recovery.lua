--[[ Finish a recovery after every order has been recorded again: trust this store from now on,
under the new epoch. A repeated call changes nothing.
KEYS      of the concert, in the order of keys.py
ARGV[1]   incarnation  as seen by this connection
ARGV[2]   epoch        of this recovery
Replies   RECOVERED | RECOVERING | UNKNOWN
]]
-- @include prologue stock notify
local seen = redis.call('HMGET', STATE, 'incarnation', 'epoch')
if seen[1] == ARGV[1] and seen[2] == ARGV[2] then return {'RECOVERED'} end
local refusal = check_incarnation(ARGV[1], ARGV[2])
if refusal then return refusal end
redis.call('HSET', STATE, 'incarnation', ARGV[1], 'epoch', ARGV[2])
-- A proposal made before the epoch was raised is part of the applied concert, or will never be
-- stored.
redis.call('HDEL', STATE, 'mark', 'mark_ms', 'proposed')
-- Under the first epoch, nothing can have been sold yet.
if tonumber(ARGV[2]) > 1 then redis.call('HSET', STATE, 'recovered_ms', now) end
commit()
return {'RECOVERED'}
