-- The state of an entry as people see it, which may differ from the stored one: its hold, its sale
-- and its round decide about it.

-- Returns whether a hold under this entry's pass is still active.
local function has_hold_under(person, entry)
  for _, id in ipairs(read_person(person).holds) do
    if read_hold(id).pass == entry.id then return true end
  end
  return false
end

-- Returns whether a call or pass is over because its sale is over. A pass with an active hold lasts
-- as long as that hold.
local function is_called_over(person, entry)
  if entry.state ~= 'READY' and entry.state ~= 'ADMITTED' or entry.id > last_over_id() then return false end
  return entry.state == 'READY' or not has_hold_under(person, entry)
end

local function is_active(person, entry)
  if not entry then return false end
  if entry.state == 'READY' or entry.state == 'ADMITTED' then return not is_called_over(person, entry) end
  return is_waiting(entry)
end

-- Returns why the sale of this round ended. A later cancellation does not change the reason.
local function sale_end_reason()
  local room = queue_state()
  return room.status == 'CANCELLED' and not room.ended_before_cancel and 'CONCERT_CANCELLED' or 'SALE_OVER'
end

-- Returns why an entry that is stored as waiting has ended: because of the end of its sale, or
-- because of an earlier reset.
local function end_of_waiting(entry)
  local room = queue_state()
  if entry.round == room.round then return sale_end_reason() end
  local over_id = redis.call('HGET', STATE, 'over|' .. entry.round)
  return over_id and entry.id <= tonumber(over_id) and 'SALE_OVER' or 'RESET'
end

local function entry_id_of(number)
  local room = queue_state()
  return room.base + (room.drawn and number <= room.drawn and read_four_bytes(LOT_ORDER, number) or number)
end

-- Returns the entry as JSON in its current state, which may differ from the stored one: entries are
-- not rewritten when a queue opens or is emptied, or when its sale ends. The entry must not be
-- written after this call.
local function entry_json(person, entry)
  if entry.state == 'WAITING' then
    entry.deadline_ms = tonumber(redis.call('ZSCORE', PRESENCE_DEADLINES, person) or entry.deadline_ms or entry.joined_ms)
    if not is_waiting(entry) then
      entry.state, entry.ended = 'EXPIRED', end_of_waiting(entry)
    else
      entry.number, entry.lot = number_of(entry), lot_of(entry)
      if not queue_state().is_opened then entry.state = 'PREQUEUED' end
    end
  elseif is_called_over(person, entry) then
    entry.state, entry.ended = 'EXPIRED', sale_end_reason()
  end
  return cjson.encode(entry)
end

-- Returns a reply with the current entry: its JSON, the time until which no deadline takes effect,
-- its position, and the epoch and the version at which it was read.
local function entry_reply(word, person, entry)
  local position = position_of(entry)
  return {word, entry_json(person, entry), string.format('%d', grace_until_ms), position, epoch_and_version()}
end
