--[[ Store what an authorization code of the development issuer was issued for, until it expires.
KEYS      code
ARGV[1]   record    the login, the client and its challenge (JSON)
ARGV[2]   lasts_ms  time in which the code may be taken
Replies   ADDED
]]
local record, lasts_ms = ARGV[1], ARGV[2]
-- The code exists already if the client has sent this call twice.
if redis.call('HSETNX', KEYS[1], 'record', record) == 1 then redis.call('PEXPIRE', KEYS[1], lasts_ms) end
return {'ADDED'}
