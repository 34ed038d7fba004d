--[[ Mark that a recovery of this concert has begun. The other scripts of the recovery pass its
epoch as a token. A repeated call renews the mark.
KEYS      of the concert, in the order of keys.py
ARGV[1]   incarnation  as seen by this connection; the concert will be trusted again under it
ARGV[2]   epoch        raised in MongoDB for this recovery
ARGV[3]   patience_ms  how long a mark of another recovery under the same incarnation is respected
Replies   MARKED incarnation | TRUSTED | BUSY | STALE epoch | UNKNOWN
]]
local seen = redis.call('HMGET', KEYS[1], 'incarnation', 'mark', 'mark_ms', 'epoch')
if not seen[4] then return {'UNKNOWN'} end
if seen[1] == ARGV[1] then return {'TRUSTED'} end
if tonumber(seen[4]) >= tonumber(ARGV[2]) then return {'STALE', seen[4]} end
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local mark = ARGV[2] .. ':' .. ARGV[1]
local marked_epoch, marked_under = string.match(seen[2] or '', '^(%d+):(.*)$')
if seen[2] == mark then
  redis.call('HSET', KEYS[1], 'mark_ms', now)
  return {'MARKED', ARGV[1]}
end
if marked_under == ARGV[1] and tonumber(marked_epoch) > tonumber(ARGV[2]) then return {'STALE', marked_epoch} end
if marked_under == ARGV[1] and now - tonumber(seen[3]) < tonumber(ARGV[3]) then return {'BUSY'} end
redis.call('HSET', KEYS[1], 'mark', mark, 'mark_ms', now)
return {'MARKED', ARGV[1]}
