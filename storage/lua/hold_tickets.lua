--[[ Hold every requested unit, or none. A repeated call with the same hold id returns the hold as
it is now and is not counted; every other call counts toward the rates.
KEYS      of the concert, in the order of keys.py
ARGV[1]   incarnation  as seen by this connection
ARGV[2]   hold_id
ARGV[3]   person
ARGV[4]   digest       of the whole input
ARGV[5]   pass_entry_id  the entry id in a pass whose signature was verified, or ''
ARGV[6]   address      of the caller, or ''
ARGV[7]   rates        see lib/rates.lua
ARGV[8]   sells_hidden  '1' for the concert's organizer and admins; a hidden tier does not exist for
          others
ARGV[9*]  tier, quantity  two per line, no tier twice
Replies   HOLD record effective_deadline_ms epoch version | CONFLICT
          | RATE_LIMITED scope retry_after_ms
          | NOT_ON_SALE status sales_start_ms sales_end_ms now_ms | NOT_ADMITTED reason position
          | UNKNOWN_TIER tier | ORDER_LIMIT limit | PERSON_LIMIT limit held owned
          | TIER_REFUSED tier broken_rule limit_or_opening  (as in lib/tier_rules.lua)
          | SOLD_OUT tier available next_release_ms minimum | UNKNOWN | RECOVERING
]]
-- @include prologue stock_and_holds notify queue_state next_release tier_rules capacity rates
local refusal = check_incarnation(ARGV[1], '')
if refusal then return refusal end
local id, person_id = ARGV[2], ARGV[3]
local known = read_hold(id)
if known then
  if known.digest ~= ARGV[4] then return {'CONFLICT'} end
  return {'HOLD', cjson.encode(known), effective_deadline(known.deadline_ms), epoch_and_version()}
end

local scope, retry_after_ms = count_call('hold', person_id, ARGV[6], ARGV[7])
if scope then return {'RATE_LIMITED', scope, retry_after_ms} end
local sale = redis.call('HMGET', STATE, 'status', 'sales_start_ms', 'sales_end_ms', 'limit_per_order',
  'limit_per_person', 'hold_ms', 'suspended')
if sale[1] ~= 'PUBLISHED' or now < tonumber(sale[2]) or now >= tonumber(sale[3]) then
  return {'NOT_ON_SALE', sale[1], sale[2], sale[3], string.format('%d', now)}
end
local entry = ARGV[5] ~= '' and read_entry(person_id)
local has_pass = entry and entry.state == 'ADMITTED' and entry.id == tonumber(ARGV[5])
  and entry.id > last_over_id() and not is_due(entry.deadline_ms)
local is_let_through = has_pass or sale[7] == '1'
  or (queue_state().queueing_method == 'PASSTHROUGH' and room_status() == 'OPEN')
if not is_let_through then
  local waiting = read_entry(person_id)
  local reason = ARGV[5] ~= '' and 'BAD_PASS' or is_waiting(waiting) and 'NOT_CALLED' or 'NO_PASS'
  return {'NOT_ADMITTED', reason, position_of(waiting)}
end
local total = 0
for index = 10, #ARGV, 2 do total = total + tonumber(ARGV[index]) end
if total > tonumber(sale[4]) then return {'ORDER_LIMIT', sale[4]} end
local person, most = read_person(person_id), sale[5]
if person.held + person.owned + total > tonumber(most) then return {'PERSON_LIMIT', most, person.held, person.owned} end

local lines, caps = {}, read_proposed_caps()
for index = 9, #ARGV, 2 do
  local tier, quantity = ARGV[index], tonumber(ARGV[index + 1])
  local stock = redis.call('HMGET', TIERS, tier .. '|top', tier .. '|withdrawn', tier .. '|held', tier .. '|sold',
    tier .. '|price', tier .. '|capacity', tier .. '|rules')
  local rules = read_rules(stock[7])
  if not stock[1] or rules.is_hidden and ARGV[8] ~= '1' then return {'UNKNOWN_TIER', tier} end
  local broken_rule, limit = find_broken_rule(rules, quantity, tonumber(sale[3]))
  if broken_rule then return {'TIER_REFUSED', tier, broken_rule, limit} end
  local available = count_on_sale(stock[1], stock[2], stock[6], caps[tier]) - stock[3] - stock[4]
  if available < quantity then return {'SOLD_OUT', tier, available, next_release(tier, stock[3]), rules.min or 1} end
  lines[#lines + 1] = {tier, quantity, tonumber(stock[5])}
end

local record = {person = person_id, digest = ARGV[4], state = 'HELD', reason = '', units = {}, lines = lines,
  created_ms = now, deadline_ms = now + tonumber(sale[6]), order_version = 0, pass = has_pass and entry.id or nil}
for _, line in ipairs(lines) do
  for _, unit in ipairs(take_units(line[1], line[2], id)) do record.units[#record.units + 1] = unit end
  add_to_counter(line[1], 'held', line[2])
end
person.held = person.held + total
person.holds[#person.holds + 1] = id
write_person(person_id, person)
redis.call('ZADD', DEADLINES, record.deadline_ms, id)
local text = write_hold(id, record)
commit()
return {'HOLD', text, effective_deadline(record.deadline_ms), epoch_and_version()}
