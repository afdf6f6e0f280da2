-- Ends a life of a server, and those before it.
--
-- KEYS  the hash of the server; the list of servers.
-- ARGV  the server in that list; beginning and end of the keys of its sets; the first incarnation
--       that may change something.
local life = redis.call('HGET', KEYS[1], ':life')
if life and tonumber(life) >= tonumber(ARGV[4]) then
  return 0
end
clear(KEYS[1], ARGV[2], ARGV[3])
redis.call('HSET', KEYS[1], ':life', ARGV[4])
redis.call('SREM', KEYS[2], ARGV[1])
return 1
