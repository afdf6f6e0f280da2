-- Ends a channel at all servers, or on a Cluster at one.
--
-- KEYS  the list of servers, or on a Cluster the hash of the one.
-- ARGV  where the list of servers is kept: 'here' or 'elsewhere'; the beginning of the keys of sets;
--       the channel; the beginning of the keys of hashes; then servers.
local servers = {}
if ARGV[1] == 'here' then
  servers = redis.call('SMEMBERS', KEYS[1])
end
for i = 5, #ARGV do
  servers[#servers + 1] = ARGV[i]
end
for _, server in ipairs(servers) do
  redis.call('UNLINK', ARGV[2] .. ARGV[3] .. ':' .. server)
  redis.call('HDEL', ARGV[4] .. server, ARGV[3])
end
return 0
