--[[ Store a browser's login session until it expires. A renewal writes only if the session
still exists, because a person who has signed out must not be signed in again.
KEYS      login session, renewal
ARGV[1]   sealed        the encrypted session
ARGV[2]   expire_at_ms  when the session ends, unix ms
ARGV[3]   is_new        1 for a new session, 0 for a renewal
Replies   WRITTEN | NO_LOGIN_SESSION
]]
local sealed, expire_at_ms, is_new = ARGV[1], ARGV[2], ARGV[3] == '1'
if not redis.call('SET', KEYS[1], sealed, 'PXAT', expire_at_ms, is_new and 'NX' or 'XX') then
  -- A new session exists already if the client has sent this call twice.
  if not is_new then return {'NO_LOGIN_SESSION'} end
end
return {'WRITTEN'}
