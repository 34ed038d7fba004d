--[[ Read the number of the layout in which this store's data is written, 0 if no process has
recorded it, and the store's clock.
KEYS      probe, deployment, layout
Replies   STORE layout seconds microseconds
]]
local clock = redis.call('TIME')
return {'STORE', tonumber(redis.call('GET', KEYS[3]) or 0), tonumber(clock[1]), tonumber(clock[2])}
