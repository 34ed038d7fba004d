--[[ One run of the admission worker: open the queue when its time has come, end its round when the
sale is over, end entries whose deadline has passed, and call people within both caps: slots, and
admissions in any 60 seconds. Each run is bounded; a run that hits a bound reports it and must be
repeated immediately. A queue with a lottery is opened only by open_queue.
KEYS      of the concert, in the order of keys.py
ARGV[1]   incarnation  as seen by this connection
ARGV[2]   bound        how many numbers to examine at most; ended entries have a separate bound
Replies   RAN called is_to_be_repeated is_active  (is_active: something can expire)
          | UNKNOWN | RECOVERING
]]
-- @include prologue stock holds notify queue_state entry_state entries admission deadlines sale_end
local refusal = check_incarnation(ARGV[1], '')
if refusal then return refusal end
local bound, room = tonumber(ARGV[2]), queue_state()
local opens_now = room.is_opened and not room.opened_ms
if opens_now then redis.call('HSET', STATE, 'opened_ms', now) end
local ends_now = room.is_over and (room.over_id or -1) < room.base + room.tail
if ends_now then end_sale() end
local ended, is_more = end_due()
local disconnected = expire_leases(bound)
local called, is_bounded, has_moved = call_next(bound, bound)
drop_old_slices()
if opens_now or ends_now or has_moved or ended + disconnected + called > 0 then commit() end
return {'RAN', called, (is_bounded or is_more or disconnected >= bound) and 1 or 0, is_idle and 0 or 1}
