--[[ Make a tiny write, and record which deployment uses this store and the layout in which its
processes write, if the store's is older. Nothing is written into a store whose layout is newer. A
repeated call renews the records. The publication fails if the user may not use the channels.
KEYS      probe, deployment, layout
ARGV[1]   deployment  id of the caller's deployment, or '' if it is not known
ARGV[2]   lasts_ms    how long the record is kept
ARGV[3]   channel     on which nothing listens
ARGV[4]   layout      number of the caller's layout
Replies   WRITTEN | CLAIMED | OTHER | NEWER layout
]]
local layout = tonumber(redis.call('GET', KEYS[3]) or 0)
if layout > tonumber(ARGV[4]) then return {'NEWER', layout} end
redis.call('SET', KEYS[1], '1', 'PX', ARGV[2])
redis.call('PUBLISH', ARGV[3], '')
if layout < tonumber(ARGV[4]) then redis.call('SET', KEYS[3], ARGV[4]) end
if ARGV[1] == '' then return {'WRITTEN'} end
local owner = redis.call('GET', KEYS[2])
if owner and owner ~= ARGV[1] then return {'OTHER'} end
redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[2])
return {'CLAIMED'}
