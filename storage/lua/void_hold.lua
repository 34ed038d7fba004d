--[[ End a hold that was in BUYING, once a VOID order with its id ensures that it can never become
an order. A hold with a recorded order is left unchanged.
KEYS      of the concert, in the order of keys.py
ARGV[1]   incarnation  as seen by this connection
ARGV[2]   hold_id
Replies   VOIDED | NO_HOLD | UNKNOWN | RECOVERING
]]
-- @include prologue stock holds notify
local refusal = check_incarnation(ARGV[1], '')
if refusal then return refusal end
local record = read_hold(ARGV[2])
if not record then return {'NO_HOLD'} end
if record.order_version == 0 and record.state ~= 'ENDED' then
  end_hold(ARGV[2], record, 'NOT_RECORDED')
  commit()
end
return {'VOIDED'}
