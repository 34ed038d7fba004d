-- Functions shared by the scripts that read a whole concert: its queue, its stock, and the
-- people whose state has changed.

-- Returns the departed bits, starting at the byte that contains the serving number. When the sale
-- is over, every number has departed.
local function departed_bits()
  local room = queue_state()
  local first, last = math.floor(room.serving / 8), math.floor(room.tail / 8)
  if room.is_over then return string.rep('\255', last - first + 1) end
  return redis.call('GETRANGE', DEPARTED, room.base / 8 + first, room.base / 8 + last)
end

-- Returns how many people are waiting.
local function waiting_count()
  local room = queue_state()
  if room.is_over or room.tail <= room.serving then return 0 end
  return room.tail - room.serving
    - redis.call('BITCOUNT', DEPARTED, room.base + room.serving + 1, room.base + room.tail, 'BIT')
end

-- Returns the fields of the queue at one version. The seventh field is the argument: either the
-- departed bits or the waiting count.
local function queue_fields(departed)
  local room, status = queue_state(), room_status()
  local at = redis.call('HMGET', STATE, 'epoch', 'version', 'passes_issued', 'concert_version')
  local opened_ms = room.is_opened and string.format('%d', room.opened_ms or room.opens_ms) or ''
  local fields = {at[1], at[2], at[4], room.round, room.serving, room.tail, departed, redis.call('ZCARD', SLOTS), at[3],
    status, opened_ms, string.format('%d', grace_until_ms), string.format('%d', now),
    room.is_over and 1 or 0, last_over_id()}
  for _, word in ipairs(redis.call('HGETALL', FLOW)) do fields[#fields + 1] = word end
  return fields
end

-- Returns epoch and version, then six fields per tier: id, units on sale, held, sold, the price of
-- a ticket that is held at this version, and the rules as they are stored.
local function stock_fields()
  local fields = redis.call('HMGET', STATE, 'epoch', 'version')
  local words, counters, caps = redis.call('HGETALL', TIERS), {}, read_proposed_caps()
  for index = 1, #words, 2 do counters[words[index]] = words[index + 1] end
  for field, top in pairs(counters) do
    local tier = string.match(field, '^(.*)|top$')
    if tier then
      local on_sale = count_on_sale(top, counters[tier .. '|withdrawn'], counters[tier .. '|capacity'], caps[tier])
      local held, sold, price_minor = counters[tier .. '|held'], counters[tier .. '|sold'], counters[tier .. '|price']
      for _, value in ipairs({tier, on_sale, held, sold, price_minor, counters[tier .. '|rules'] or ''}) do
        fields[#fields + 1] = value
      end
    end
  end
  return fields
end

-- Returns epoch, version and floor (changes up to the floor may be missing), then the person and
-- version of each change since the version `after`, oldest first. There are at most `limit` people,
-- plus any others with the same version as the last one.
local function change_fields(after, limit)
  local at = redis.call('HMGET', STATE, 'epoch', 'version', 'changes_floor')
  local people = redis.call('ZRANGEBYSCORE', CHANGES, '(' .. after, '+inf', 'WITHSCORES', 'LIMIT', 0, limit)
  if #people == limit * 2 then
    local last = people[#people]
    while people[#people] == last do people[#people], people[#people - 1] = nil, nil end
    for _, word in ipairs(redis.call('ZRANGEBYSCORE', CHANGES, last, last, 'WITHSCORES')) do people[#people + 1] = word end
  end
  local fields = {at[1], at[2], at[3] or '0'}
  for _, word in ipairs(people) do fields[#fields + 1] = word end
  return fields
end
