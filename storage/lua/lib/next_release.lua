-- Returns when stock of a tier may become available again: the earliest deadline of a hold with
-- units of the tier. Examines only the next 20 deadlines, and returns '' if it finds none.
local function next_release(tier, held)
  if held == '0' then return '' end
  local soonest = redis.call('ZRANGE', DEADLINES, 0, 19, 'WITHSCORES')
  for index = 1, #soonest, 2 do
    for _, line in ipairs(read_hold(soonest[index]).lines) do
      if line[1] == tier then return effective_deadline(tonumber(soonest[index + 1])) end
    end
  end
  return ''
end
