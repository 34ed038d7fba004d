--[[ Claim the renewal of a login session for one process. The claim is never released: it
expires, so the session is renewed at most once in that time.
KEYS      login session, renewal
ARGV[1]   claimer  identifies this attempt, so that repeating the call does not change its answer
ARGV[2]   gap_ms   length of the claim
Replies   CLAIMED | TAKEN
]]
local claimer, gap_ms = ARGV[1], ARGV[2]
if redis.call('SET', KEYS[2], claimer, 'PX', gap_ms, 'NX') or redis.call('GET', KEYS[2]) == claimer then
  return {'CLAIMED'}
end
return {'TAKEN'}
