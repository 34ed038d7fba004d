--[[ Delete the login session of a browser.
KEYS      login session, renewal
Replies   DELETED
]]
redis.call('DEL', KEYS[1], KEYS[2])
return {'DELETED'}
