--[[ The last step in opening a queue by lottery: give every lot the number that was drawn for it. A
queue that is already open is not changed. The recorded draw is used even if this store lost lots:
their numbers count as departed. Only a recovery opens a queue that was not frozen.
KEYS      of the concert, in the order of keys.py
ARGV[1]   incarnation    as seen by this connection
ARGV[2]   epoch          of the calling recovery, or ''
ARGV[3]   round
ARGV[4]   registrations  number of registrations, as revealed
ARGV[5]   ranks          four bytes per lot: its number
ARGV[6]   lot_order      four bytes per number: its lot
Replies   OPENED | OPEN | STALE | UNKNOWN | RECOVERING
]]
-- @include prologue stock notify queue_state lottery
local refusal = check_incarnation(ARGV[1], ARGV[2])
if refusal then return refusal end
local room, registrations = queue_state(), tonumber(ARGV[4])
if room.round ~= tonumber(ARGV[3]) then return {'STALE'} end
if room.opened_ms then return {'OPEN'} end
if ARGV[2] == '' and not room.frozen then return {'STALE'} end
write_departed(ARGV[5], registrations, find_departed_lots(registrations))
redis.call('SET', RANKS, ARGV[5])
redis.call('SET', LOT_ORDER, ARGV[6])
redis.call('HSET', STATE, 'drawn', registrations, 'frozen', registrations, 'opened_ms', now,
  'tail', math.max(room.tail, registrations))
commit()
return {'OPENED'}
