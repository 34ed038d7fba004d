-- Functions that count and find units, and note whose data a script has changed. They are shared by
-- the scripts that change stock.
local touched_tiers, touched_people = {}, {}

local function add_to_counter(tier, what, by)
  local field = tier .. '|' .. what
  touched_tiers[field] = (touched_tiers[field] or 0) + by
end

-- Calls a function with a thousand items of a list at a time, or of its first `count` items.
local function each_chunk(list, call, count)
  count = count or #list
  for first = 1, count, 1000 do call(unpack(list, first, math.min(first + 999, count))) end
end

-- Finds units of a tier to take: first returned ones, then the next new ones, from `next_new` to
-- `top`. Returns the units, how many of them were returned ones, and the next new number after
-- them; or nil if there are too few.
local function find_units(tier, quantity, next_new, top)
  local units = redis.call('ZRANGEBYLEX', FREE, '[' .. tier .. ':', '(' .. tier .. ';', 'LIMIT', 0, quantity)
  local returned = #units
  local next_after = next_new + quantity - returned
  if next_after - 1 > top then return nil end
  for number = next_new, next_after - 1 do units[#units + 1] = string.format('%s:%d', tier, number) end
  return units, returned, next_after
end
