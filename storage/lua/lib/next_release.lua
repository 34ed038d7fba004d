-- Returns when stock of a tier may become available again: the earliest deadline of a hold with
-- units of the tier. Examines only the next 20 deadlines, and returns '' if it finds none.
local NEXT_RELEASES = 20
local stored_releases

-- `made` are the holds that this script has made but not written, by deadline.
local function next_release(tier, held, made)
  if held == 0 then return '' end
  if not stored_releases then
    stored_releases = {}
    local ids, soonest = {}, redis.call('ZRANGE', DEADLINES, 0, NEXT_RELEASES - 1, 'WITHSCORES')
    for index = 1, #soonest, 2 do ids[#ids + 1] = soonest[index] end
    for index, text in ipairs(#ids > 0 and redis.call('HMGET', HOLDS, unpack(ids)) or {}) do
      stored_releases[index] = {deadline_ms = tonumber(soonest[index * 2]), lines = cjson.decode(text).lines}
    end
  end
  local next_stored, next_made = 1, 1
  for _ = 1, NEXT_RELEASES do
    local hold, other = stored_releases[next_stored], made[next_made]
    if hold and not (other and other.deadline_ms < hold.deadline_ms) then
      next_stored = next_stored + 1
    elseif other then
      hold, next_made = other, next_made + 1
    else
      return ''
    end
    for _, line in ipairs(hold.lines) do
      if line[1] == tier then return effective_deadline(hold.deadline_ms) end
    end
  end
  return ''
end
