-- Functions that make the holds of several calls at once, as if the calls came one after another.
-- Each key is read and written once, however many calls there are. Everything is read, decided and
-- encoded before the first write, so an error before it changes nothing.

-- What has been read, and is updated by each new hold: holds by id, entries by person, the records
-- of people, and the counters and rules of tiers. `made` lists the calls that have become holds.
local known, entries, people, tiers, made = {}, {}, {}, {}, {}
local sale, caps, stored_people, has_written = nil, nil, {}, false

-- Returns the calls in a list of words, starting at an index. They are described in the header of
-- hold_tickets.lua.
local function read_calls(words, first)
  local calls, index = {}, first
  while index <= #words do
    local id, person, digest, pass, address, rates, sells_hidden = unpack(words, index + 1, index + 7)
    local call = {id = id, person = person, digest = digest, pass = pass, address = address, rates = rates,
      sells_hidden = sells_hidden == '1', lines = {}, total = 0}
    local last = index + words[index]
    for at = index + 8, last, 2 do
      local quantity = tonumber(words[at + 1])
      call.lines[#call.lines + 1] = {words[at], quantity}
      call.total = call.total + quantity
    end
    calls[#calls + 1], index = call, last + 1
  end
  return calls
end

-- Returns the fields of a hash that exist.
local function read_fields(key, names)
  local found = {}
  if #names == 0 then return found end
  for index, value in ipairs(redis.call('HMGET', key, unpack(names))) do
    if value then found[names[index]] = value end
  end
  return found
end

-- Reads the holds that these calls repeat. Returns the other calls.
local function read_known_holds(calls)
  local ids, fresh = {}, {}
  for index, call in ipairs(calls) do ids[index] = call.id end
  for id, text in pairs(read_fields(HOLDS, ids)) do
    local record = cjson.decode(text)
    known[id] = {digest = record.digest, deadline_ms = record.deadline_ms, text = text}
  end
  for _, call in ipairs(calls) do
    if not known[call.id] then fresh[#fresh + 1] = call end
  end
  return fresh
end

-- Reads what decides about calls that repeat no hold.
local function read_for_holds(calls)
  local members, persons, queued, is_listed = {}, {}, {}, {}
  sale = redis.call('HMGET', STATE, 'status', 'sales_start_ms', 'sales_end_ms', 'limit_per_order', 'limit_per_person',
    'hold_ms', 'suspended', 'proposed', 'epoch', 'version')
  sale.is_open = sale[7] == '1' or (queue_state().queueing_method == 'PASSTHROUGH' and room_status() == 'OPEN')
  caps = proposed_caps(sale[8])
  for _, call in ipairs(calls) do
    if call.rates ~= '' then
      for _, member in ipairs({rate_members('hold', call.person, call.address)}) do
        if not is_listed[member] then members[#members + 1], is_listed[member] = member, true end
      end
    end
    if not people[call.person] then
      persons[#persons + 1], people[call.person] = call.person, {held = 0, owned = 0, holds = {}}
    end
    if call.pass ~= '' or not sale.is_open then queued[#queued + 1] = call.person end
  end
  if #members > 0 then read_rates(members) end
  for person, text in pairs(read_fields(ENTRIES, queued)) do entries[person] = cjson.decode(text) end
  stored_people = read_fields(PEOPLE, persons)
  for person, text in pairs(stored_people) do people[person] = cjson.decode(text) end
end

-- Returns the counters, the price and the rules of a tier, or nil if it does not exist.
local function read_tier(tier)
  if tiers[tier] ~= nil then return tiers[tier] or nil end
  local stock = redis.call('HMGET', TIERS, tier .. '|top', tier .. '|withdrawn', tier .. '|held', tier .. '|sold',
    tier .. '|price', tier .. '|capacity', tier .. '|rules', tier .. '|next')
  local top, held = tonumber(stock[1]), tonumber(stock[3])
  tiers[tier] = top and {top = top, next_new = tonumber(stock[8]), held = held, stored_held = held,
    price_minor = tonumber(stock[5]), rules = read_rules(stock[7]), wanted = 0, used = 0,
    for_holds = count_on_sale(top, stock[2], stock[6], caps[tier]) - stock[4]} or false
  return tiers[tier] or nil
end

-- Makes a call the hold of all units that it requests, which are available. `pass` is the entry id
-- of its pass, or nil. Returns the hold.
local function add_hold(call, pass)
  local person = people[call.person]
  for _, line in ipairs(call.lines) do
    local stock = tiers[line[1]]
    stock.held, stock.wanted, line[3] = stock.held + line[2], stock.wanted + line[2], stock.price_minor
  end
  person.held = person.held + call.total
  person.holds[#person.holds + 1] = call.id
  call.deadline_ms = now + tonumber(sale[6])
  call.record = {person = call.person, digest = call.digest, state = 'HELD', reason = '', units = {}, lines = call.lines,
    created_ms = now, deadline_ms = call.deadline_ms, order_version = 0, pass = pass}
  made[#made + 1], known[call.id] = call, call
  return call
end

-- Finds the units that each tier gives to the new holds, and adds the words of their writes.
local function find_wanted_units(writes)
  local returned, counters = writes.returned, writes.counters
  for tier, stock in pairs(tiers) do
    if stock and stock.wanted > 0 then
      local units, count, next_after = find_units(tier, stock.wanted, stock.next_new, stock.top)
      if not units then error('the counters of tier ' .. tier .. ' do not match its units') end
      stock.units = units
      for index = 1, count do returned[#returned + 1] = units[index] end
      counters[#counters + 1], counters[#counters + 2] = tier .. '|next', next_after
      counters[#counters + 1], counters[#counters + 2] = tier .. '|held', stock.held
    end
  end
end

-- Gives units to the new holds, and returns the words of all writes.
local function encode_holds()
  local owners, deadlines, holds, persons = {}, {}, {}, {}
  local writes = {owners = owners, deadlines = deadlines, holds = holds, people = persons, returned = {}, counters = {}}
  find_wanted_units(writes)
  for _, hold in ipairs(made) do
    local units = hold.record.units
    for _, line in ipairs(hold.lines) do
      local stock = tiers[line[1]]
      for index = stock.used + 1, stock.used + line[2] do
        local unit = stock.units[index]
        units[#units + 1], owners[#owners + 1], owners[#owners + 2] = unit, unit, hold.id
      end
      stock.used = stock.used + line[2]
    end
    hold.text = cjson.encode(hold.record)
    holds[#holds + 1], holds[#holds + 2] = hold.id, hold.text
    deadlines[#deadlines + 1], deadlines[#deadlines + 2] = hold.deadline_ms, hold.id
    touched_people[hold.person] = true
  end
  for person in pairs(touched_people) do
    persons[#persons + 1], persons[#persons + 2] = person, cjson.encode(people[person])
  end
  writes.commit = read_for_commit(sale[9], sale[10])
  return writes
end

-- Puts the records of new and repeated holds into the replies with HOLD. They show the version that
-- the writes raise.
local function complete_replies(replies, writes)
  local epoch, version
  if writes then epoch, version = writes.commit.epoch, writes.commit.version end
  for _, reply in ipairs(replies) do
    if reply[1] == 'HOLD' then
      if not epoch then epoch, version = epoch_and_version() end
      local hold = reply[2]
      reply[2], reply[3], reply[4], reply[5] = hold.text, effective_deadline(hold.deadline_ms), epoch, version
    end
  end
end

local function write_words(command, key, words)
  for first = 1, #words, 1000 do
    redis.call(command, key, unpack(words, first, math.min(first + 999, #words)))
    has_written = true
  end
end

-- Writes what `encode_holds` returned, or only the rates if there is no new hold.
local function write_holds(writes)
  if writes then
    write_words('HSET', UNITS, writes.owners)
    write_words('ZREM', FREE, writes.returned)
    write_words('HSET', TIERS, writes.counters)
    write_words('HSET', PEOPLE, writes.people)
    write_words('ZADD', DEADLINES, writes.deadlines)
    write_words('HSET', HOLDS, writes.holds)
  end
  if writes then commit(writes.commit) end
  -- The last write, because its calls are not counted if another write fails.
  write_rates()
end

-- Returns the error reply for an error while writing. After the first write, what was written is
-- undone (a step whose write has not happened changes nothing), and the concert is not trusted
-- until a recovery has compared it with MongoDB.
local function end_unfinished(problem, writes)
  local text = type(problem) == 'table' and problem.err or tostring(problem)
  -- A store that refuses writes raises a text that begins with its code, such as OOM.
  if not string.match(text, '^%u+ ') then text = 'ERR ' .. text end
  if not has_written then return redis.error_reply(text) end
  local ids, units, free, counters, gone, before = {}, {}, {}, {}, {}, {}
  for index, hold in ipairs(made) do ids[index] = hold.id end
  for index = 1, #writes.owners, 2 do units[#units + 1] = writes.owners[index] end
  for _, unit in ipairs(writes.returned) do free[#free + 1], free[#free + 2] = 0, unit end
  for tier, stock in pairs(tiers) do
    for _, word in ipairs(stock and {tier .. '|next', stock.next_new, tier .. '|held', stock.stored_held} or {}) do
      counters[#counters + 1] = word
    end
  end
  for person in pairs(touched_people) do
    local stored = stored_people[person]
    if stored then before[#before + 1], before[#before + 2] = person, stored else gone[#gone + 1] = person end
  end
  for _, step in ipairs({{'HDEL', HOLDS, ids}, {'ZREM', DEADLINES, ids}, {'HDEL', PEOPLE, gone}, {'HSET', PEOPLE, before},
    {'HSET', TIERS, counters}, {'ZADD', FREE, free}, {'HDEL', UNITS, units}}) do
    each_chunk(step[3], function(...) redis.pcall(step[1], step[2], ...) end)
  end
  redis.pcall('HSET', STATE, 'incarnation', '')
  return redis.error_reply('UNFINISHED ' .. text)
end
