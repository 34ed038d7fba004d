--[[ Move a hold from HELD to BUYING, if the store's clock has not reached its deadline. A BUYING
hold never expires; its owner may begin the purchase again. The hold's pass is bound to the hold: no
other hold under that pass can be bought until this one ends. A hold with a recorded order is left
unchanged; once the order has ended, only the keys with which it was bought still find it. A
repeated call with the same key is not counted toward the rates.
KEYS      of the concert, in the order of keys.py
ARGV[1]   incarnation   as seen by this connection
ARGV[2]   hold_id
ARGV[3]   person        the caller; a hold of another person counts as NO_HOLD
ARGV[4]   purchase_key  fingerprint of person, concert, operation and idempotency key
ARGV[5]   digest        of the whole input
ARGV[6]   address       of the caller, or ''
ARGV[7]   rates         see lib/rates.lua
Replies   BUYING record effective_deadline_ms epoch version | PASS_BOUND | ORDERED | ENDED reason
          | NO_HOLD | CONFLICT | RATE_LIMITED scope retry_after_ms | UNKNOWN | RECOVERING
]]
-- @include prologue stock holds notify queue_state entry_state entries rates
local refusal = check_incarnation(ARGV[1], '')
if refusal then return refusal end
local id = ARGV[2]
local record = read_hold(id)
if not record or record.person ~= ARGV[3] then return {'NO_HOLD'} end
local remembered = redis.call('HGET', PURCHASES, ARGV[4])
if remembered and remembered ~= ARGV[5] then return {'CONFLICT'} end
if not remembered then
  local scope, retry_after_ms = count_call('buy', ARGV[3], ARGV[6], ARGV[7])
  if scope then return {'RATE_LIMITED', scope, retry_after_ms} end
  -- The key is not kept, so that a repeated call gets the same answer.
  if record.order_version > 0 and record.state == 'ENDED' then return {'ENDED', record.reason} end
  redis.call('HSET', PURCHASES, ARGV[4], ARGV[5])
end
if record.order_version > 0 then return {'ORDERED'} end
if record.state == 'ENDED' then return {'ENDED', record.reason} end
-- The expiry worker will end the hold. This script changes nothing, so that both report the same
-- reason.
if record.state == 'HELD' and queue_state().status == 'CANCELLED' then return {'ENDED', 'CONCERT_CANCELLED'} end
if record.state == 'HELD' and is_due(record.deadline_ms) then return {'ENDED', 'EXPIRED'} end
if record.pass and not bind_pass(record, id) then return {'PASS_BOUND'} end

record.state, record.deadline_ms = 'BUYING', math.max(record.deadline_ms, now + BUYING_MS)
redis.call('ZREM', DEADLINES, id)
redis.call('ZADD', BUYING, record.deadline_ms, id)
local text = write_hold(id, record)
commit()
return {'BUYING', text, effective_deadline(record.deadline_ms), epoch_and_version()}
