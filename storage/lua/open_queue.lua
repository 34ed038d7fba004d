--[[ Last step of a lottery's opening: every lot gets the number that was drawn for it. A line that is open stays as it is.
The draw is the recorded one whatever this store still knows: lots it lost are numbers that are gone. Only a recovery
opens a line that was not frozen.
KEYS      of the concert, in the order of keys.py
ARGV[1]   incarnation    the one this connection saw
ARGV[2]   epoch          of the recovery that calls, else ''
ARGV[3]   round
ARGV[4]   registrations  as they were revealed
ARGV[5]   ranks          four bytes a lot: its number
ARGV[6]   lot_order      four bytes a number: its lot
Replies   OPENED | OPEN | STALE | UNKNOWN | RECOVERING
]]
-- @include prologue stock_and_holds notify queue_state lottery
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
