--[[ Release a hold before its deadline. A hold that is being bought, or has an order, is refused. A
hold that has already ended is returned unchanged.
KEYS      of the concert, in the order of keys.py
ARGV[1]   incarnation  as seen by this connection
ARGV[2]   hold_id
ARGV[3]   person       the caller; a hold of another person counts as NO_HOLD
ARGV[4]   reason       why it ends
Replies   HOLD record effective_deadline_ms epoch version | NO_HOLD | BUYING
          | ORDERED awaits_payment | UNKNOWN | RECOVERING
]]
-- @include prologue stock holds notify
local refusal = check_incarnation(ARGV[1], '')
if refusal then return refusal end
local record = read_hold(ARGV[2])
if not record or record.person ~= ARGV[3] then return {'NO_HOLD'} end
if has_order(record) then return {'ORDERED', record.state == 'BUYING' and 1 or 0} end
if record.state == 'BUYING' then return {'BUYING'} end
if record.state == 'HELD' then
  end_hold(ARGV[2], record, ARGV[4])
  commit()
end
return {'HOLD', cjson.encode(record), string.format('%d', record.deadline_ms), epoch_and_version()}
