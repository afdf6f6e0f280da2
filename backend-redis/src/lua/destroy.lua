-- Ends a channel at all servers of a list, and at some more.
--
-- KEYS  the list of servers.
-- ARGV  the beginning of the keys of sets of the channel; the beginning of the keys of hashes;
--       the channel; then further servers.
local servers = redis.call('SMEMBERS', KEYS[1])
for i = 4, #ARGV do
  servers[#servers + 1] = ARGV[i]
end
for _, server in ipairs(servers) do
  redis.call('UNLINK', ARGV[1] .. server)
  redis.call('HDEL', ARGV[2] .. server, ARGV[3])
end
return 0
