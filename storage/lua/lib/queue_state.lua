-- The queue of this round, and the lot, number and position of an entry in it. People see numbers,
-- from 1 in each round; an entry is identified by its id, base + lot. Lot and number are equal
-- until a lottery has been drawn: then RANKS and LOT_ORDER map one to the other.
local STATE_FIELDS = {'round', 'base', 'drawn', 'frozen', 'opened_ms', 'opens_ms', 'has_lottery', 'suspended', 'status',
  'sales_end_ms', 'queueing_method', 'prequeue_ms', 'queue_all', 'serving', 'tail'}
local state_fields

-- Returns the state fields, read once per script. A value that the script writes later appears here
-- only if the script sets it here too.
local function queue_state()
  if state_fields then return state_fields end
  state_fields = {}
  for index, value in ipairs(redis.call('HMGET', STATE, unpack(STATE_FIELDS))) do
    state_fields[STATE_FIELDS[index]] = value and (tonumber(value) or value) or nil
  end
  state_fields.is_opened = state_fields.opened_ms ~= nil or (state_fields.has_lottery == 0 and now >= state_fields.opens_ms)
  return state_fields
end

-- Returns the status of the room, and the time at which it changes, or ''.
local function room_status()
  local room = queue_state()
  if room.suspended == 1 then return 'SUSPENDED', '' end
  if room.status ~= 'PUBLISHED' or now >= room.sales_end_ms then return 'CLOSED', '' end
  if room.queueing_method == 'REJECT' then return 'REJECTING', '' end
  if not room.is_opened and now < room.prequeue_ms then return 'SCHEDULED', string.format('%d', room.prequeue_ms) end
  if not room.is_opened then return 'PREQUEUE', string.format('%d', room.opens_ms) end
  return room.queue_all == 1 and 'PAUSED' or 'OPEN', ''
end

local function read_entry(person)
  local text = redis.call('HGET', ENTRIES, person)
  return text and cjson.decode(text)
end

local function is_waiting(entry)
  return entry and entry.state == 'WAITING' and entry.round == queue_state().round
end

local function is_active(entry)
  return entry and (entry.state == 'READY' or entry.state == 'ADMITTED' or is_waiting(entry))
end

local function read_four_bytes(key, index)
  return (struct.unpack('>I4', redis.call('GETRANGE', key, (index - 1) * 4, index * 4 - 1)))
end

-- Returns the lot with which an entry takes part in the lottery, or nil.
local function lot_of(entry)
  local room = queue_state()
  if entry.round ~= room.round then return entry.lot end
  local lot = entry.id - room.base
  local last = room.drawn or (room.has_lottery == 1 and not room.is_opened and (room.frozen or lot))
  return last and lot <= last and lot or nil
end

-- Returns the number of an entry, or nil while its lot is not drawn.
local function number_of(entry)
  if entry.number then return entry.number end
  local lot = lot_of(entry)
  if not lot then return entry.id - queue_state().base end
  return queue_state().drawn and read_four_bytes(RANKS, lot) or nil
end

local function entry_id_of(number)
  local room = queue_state()
  return room.base + (room.drawn and number <= room.drawn and read_four_bytes(LOT_ORDER, number) or number)
end

-- Returns the entry as JSON in its current state, because entries are not rewritten when a queue
-- opens or is emptied. The entry must not be written after this call.
local function entry_json(person, entry)
  if entry.state == 'WAITING' then
    entry.deadline_ms = tonumber(redis.call('ZSCORE', PRESENCE_DEADLINES, person) or entry.deadline_ms or entry.joined_ms)
    if not is_waiting(entry) then
      entry.state, entry.ended = 'EXPIRED', 'RESET'
    else
      entry.number, entry.lot = number_of(entry), lot_of(entry)
      if not queue_state().is_opened then entry.state = 'PREQUEUED' end
    end
  end
  return cjson.encode(entry)
end

-- Returns the position of an entry, 1 for the next to be called; '' for an entry that is not
-- waiting or has no number yet.
local function position_of(entry)
  local room, number = queue_state(), is_waiting(entry) and number_of(entry)
  if not number then return '' end
  local departed = 0
  if number > room.serving + 1 then
    departed = redis.call('BITCOUNT', DEPARTED, room.base + room.serving + 1, room.base + number - 1, 'BIT')
  end
  return number - room.serving - departed
end

-- Returns the reply with the current entry: its JSON, the time until which no deadline counts, and
-- its position.
local function entry_reply(word, person, entry)
  local position = position_of(entry)
  return {word, entry_json(person, entry), string.format('%d', grace_until_ms), position}
end
