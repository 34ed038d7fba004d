--[[ Hold tickets for one or more calls, as if the calls came one after another: each gets all units
that it requests, or none. A repeated call with the same hold id returns the hold as it is now and
is not counted; every other call counts toward the rates. The version rises once if any hold is
made. The code of an error after the first write is UNFINISHED: the concert must be recovered.
KEYS      of the concert, in the order of keys.py
ARGV[1]   incarnation  as seen by this connection
ARGV[2*]  call         for each call the number of its words, and then its words:
          hold_id, person
          digest         of the whole input
          pass_entry_id  the entry id in a pass whose signature was verified, or ''
          address        of the caller, or ''
          rates          see lib/rates.lua
          sells_hidden   '1' for the concert's organizer and admins; a hidden tier does not exist
                         for others
          tier, quantity of each line, no tier twice
Replies   a list of one reply to each call, in their order:
          HOLD record effective_deadline_ms epoch version | CONFLICT
          | RATE_LIMITED scope retry_after_ms
          | NOT_ON_SALE status sales_start_ms sales_end_ms now_ms | NOT_ADMITTED reason position
          | UNKNOWN_TIER tier | ORDER_LIMIT limit | PERSON_LIMIT limit held owned
          | TIER_REFUSED tier broken_rule limit_or_opening  (as in lib/tier_rules.lua)
          | SOLD_OUT tier available next_release_ms minimum | UNKNOWN | RECOVERING
]]
-- @include prologue stock notify queue_state next_release tier_rules capacity rates hold_batch
-- Returns the reply to a call: either a refusal, or HOLD with a hold that may not be written yet.
local function decide(call)
  local hold = known[call.id]
  if hold and hold.digest ~= call.digest then return {'CONFLICT'} end
  if hold then return {'HOLD', hold} end
  local scope, retry_after_ms = check_rates('hold', call.person, call.address, call.rates)
  if scope then return {'RATE_LIMITED', scope, retry_after_ms} end
  if sale[1] ~= 'PUBLISHED' or now < tonumber(sale[2]) or now >= tonumber(sale[3]) then
    return {'NOT_ON_SALE', sale[1], sale[2], sale[3], string.format('%d', now)}
  end
  local entry = entries[call.person]
  local has_pass = call.pass ~= '' and entry and entry.state == 'ADMITTED' and entry.id == tonumber(call.pass)
    and entry.id > last_over_id() and not is_due(entry.deadline_ms)
  if not has_pass and not sale.is_open then
    local reason = call.pass ~= '' and 'BAD_PASS' or is_waiting(entry) and 'NOT_CALLED' or 'NO_PASS'
    return {'NOT_ADMITTED', reason, position_of(entry)}
  end
  if call.total > tonumber(sale[4]) then return {'ORDER_LIMIT', sale[4]} end
  local person, most = people[call.person], sale[5]
  if person.held + person.owned + call.total > tonumber(most) then return {'PERSON_LIMIT', most, person.held, person.owned} end
  for _, line in ipairs(call.lines) do
    local tier, quantity, stock = line[1], line[2], read_tier(line[1])
    if not stock or stock.rules.is_hidden and not call.sells_hidden then return {'UNKNOWN_TIER', tier} end
    local broken_rule, limit = find_broken_rule(stock.rules, quantity, tonumber(sale[3]))
    if broken_rule then return {'TIER_REFUSED', tier, broken_rule, limit} end
    local available = stock.for_holds - stock.held
    if available < quantity then
      return {'SOLD_OUT', tier, available, next_release(tier, stock.held, made), stock.rules.min or 1}
    end
  end
  return {'HOLD', add_hold(call, has_pass and entry.id or nil)}
end

local refusal, calls, replies = check_incarnation(ARGV[1], ''), read_calls(ARGV, 2), {}
local fresh = refusal and {} or read_known_holds(calls)
if #fresh > 0 then read_for_holds(fresh) end
for index, call in ipairs(calls) do replies[index] = refusal or decide(call) end
local writes = #made > 0 and encode_holds()
complete_replies(replies, writes)
local is_done, problem = pcall(write_holds, writes)
return is_done and replies or end_unfinished(problem, writes)
