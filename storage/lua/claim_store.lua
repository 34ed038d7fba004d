--[[ Make a tiny write, and record which deployment uses this store. A repeated call renews the
record. The publication fails if the user may not use the channels.
KEYS      probe, deployment
ARGV[1]   deployment  id of the caller's deployment, or '' if it is not known
ARGV[2]   lasts_ms    how long the record is kept
ARGV[3]   channel     on which nothing listens
Replies   WRITTEN | CLAIMED | OTHER
]]
redis.call('SET', KEYS[1], '1', 'PX', ARGV[2])
redis.call('PUBLISH', ARGV[3], '')
if ARGV[1] == '' then return {'WRITTEN'} end
local owner = redis.call('GET', KEYS[2])
if owner and owner ~= ARGV[1] then return {'OTHER'} end
redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[2])
return {'CLAIMED'}
