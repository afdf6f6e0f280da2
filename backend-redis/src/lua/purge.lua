-- Ends a life of a server, and those before it.
--
-- KEYS  the hash of the server; the list of servers (on a Cluster: the hash again).
-- ARGV  where the list of servers is kept: 'here' or 'elsewhere'; the server in that list;
--       beginning and end of the keys of its sets; the first incarnation that may change something.
local server, life = KEYS[1], redis.call('HGET', KEYS[1], ':life')
if life and tonumber(life) >= tonumber(ARGV[5]) then
  return 0
end
clear(server, ARGV[3], ARGV[4])
redis.call('HSET', server, ':life', ARGV[5])
if ARGV[1] == 'here' then
  redis.call('SREM', KEYS[2], ARGV[2])
end
return 1
