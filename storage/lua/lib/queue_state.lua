-- The queue of this round, and the lot, number and position of an entry in it. People see numbers,
-- which start at 1 in each round; an entry is identified by its id, base + lot. Lot and number are
-- equal unless a lottery has been drawn; RANKS and LOT_ORDER then map one to the other.
local STATE_FIELDS = {'round', 'base', 'drawn', 'frozen', 'opened_ms', 'opens_ms', 'has_lottery', 'suspended', 'status',
  'sales_end_ms', 'queueing_method', 'prequeue_ms', 'queue_all', 'serving', 'tail', 'over_id', 'ended_before_cancel'}
local state_fields

-- Returns whether the sale of this round is permanently over. Like any deadline, the end of the
-- sale does not take effect while no worker runs: this store may not know yet that the sale was
-- extended.
local function is_round_over(room)
  if not room.tail then return false end
  local is_marked = room.over_id and room.over_id >= room.base + room.tail
  return is_marked or (room.is_closed and now - worker_ms <= WORKER_GAP_MS)
end

-- Returns the state fields, read once per script. A value that the script writes later appears here
-- only if the script sets it here too.
local function queue_state()
  if state_fields then return state_fields end
  state_fields = {}
  for index, value in ipairs(redis.call('HMGET', STATE, unpack(STATE_FIELDS))) do
    state_fields[STATE_FIELDS[index]] = value and (tonumber(value) or value) or nil
  end
  state_fields.is_opened = state_fields.opened_ms ~= nil or (state_fields.has_lottery == 0 and now >= state_fields.opens_ms)
  state_fields.is_closed = state_fields.status ~= 'PUBLISHED' or now >= state_fields.sales_end_ms
  state_fields.is_over = is_round_over(state_fields)
  return state_fields
end

-- Returns the status of the room, and the time at which it will change, or '' if that is not known.
local function room_status()
  local room = queue_state()
  if room.is_closed then return 'CLOSED', '' end
  if room.suspended == 1 then return 'SUSPENDED', '' end
  if room.queueing_method == 'REJECT' then return 'REJECTING', '' end
  if not room.is_opened and now < room.prequeue_ms then return 'SCHEDULED', string.format('%d', room.prequeue_ms) end
  if not room.is_opened then return 'PREQUEUE', string.format('%d', room.opens_ms) end
  return room.queue_all == 1 and 'PAUSED' or 'OPEN', ''
end

local function read_entry(person)
  local text = redis.call('HGET', ENTRIES, person)
  return text and cjson.decode(text)
end

-- Returns the highest entry id that ended with its sale, or 0. Entries up to this id stay ended
-- when a later sale opens. `end_sale` stores the id; the entries are not rewritten.
local function last_over_id()
  local room = queue_state()
  return room.is_over and room.base + room.tail or room.over_id or 0
end

local function is_waiting(entry)
  return entry and entry.state == 'WAITING' and entry.round == queue_state().round and entry.id > last_over_id()
end

local function read_four_bytes(key, index)
  return (struct.unpack('>I4', redis.call('GETRANGE', key, (index - 1) * 4, index * 4 - 1)))
end

-- Returns the lot that an entry has in the lottery, or nil.
local function lot_of(entry)
  local room = queue_state()
  if entry.round ~= room.round then return entry.lot end
  local lot = entry.id - room.base
  local last = room.drawn or (room.has_lottery == 1 and not room.is_opened and (room.frozen or lot))
  return last and lot <= last and lot or nil
end

-- Returns the number of an entry, or nil until its lot has been drawn.
local function number_of(entry)
  if entry.number then return entry.number end
  local lot = lot_of(entry)
  if not lot then return entry.id - queue_state().base end
  return queue_state().drawn and read_four_bytes(RANKS, lot) or nil
end

-- Returns the position of an entry: 1 for the next one to be called, or '' for an entry that is not
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
