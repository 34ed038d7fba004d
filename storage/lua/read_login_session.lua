--[[ Read a browser's login session.
KEYS      login session, renewal
Replies   LOGIN_SESSION sealed | NO_LOGIN_SESSION
]]
local sealed = redis.call('GET', KEYS[1])
if not sealed then return {'NO_LOGIN_SESSION'} end
return {'LOGIN_SESSION', sealed}
