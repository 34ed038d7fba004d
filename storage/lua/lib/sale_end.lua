-- The end of a sale, which permanently ends the round of its queue.

-- Marks all existing entries as over, with a few commands however many there are. Calls and
-- passes become due, so that `end_due` removes them from the slots.
local function end_sale()
  local room = queue_state()
  room.over_id = room.base + room.tail
  redis.call('HSET', STATE, 'over_id', room.over_id, 'over|' .. room.round, room.over_id)
  redis.call('UNLINK', WAITERS, PRESENCE_DEADLINES)
  redis.call('ZUNIONSTORE', SLOTS, 1, SLOTS, 'WEIGHTS', 0)
  append_event('over', '', room.over_id, room.round)
end
