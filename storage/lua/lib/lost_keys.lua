-- Returns whether a key is missing although the counters need it, as after an eviction.
local function has_lost_keys()
  local stock, in_use = redis.call('HGETALL', TIERS), 0
  for index = 1, #stock, 2 do
    if string.find(stock[index], '|held$') or string.find(stock[index], '|sold$') then
      in_use = in_use + tonumber(stock[index + 1])
    end
  end
  return #stock == 0 or (in_use > 0 and redis.call('EXISTS', UNITS, HOLDS, PEOPLE) < 3)
end
