--[[ Delete a browser's login session.
KEYS      login session, renewal
Replies   DELETED
]]
redis.call('DEL', KEYS[1], KEYS[2])
return {'DELETED'}
