-- Adds and leaves at one server, in this order.
--
-- KEYS  the hash of the server; the list of servers; then the set of members of each change.
-- ARGV  the server in that list; beginning and end of the keys of its sets; then runs of changes
--       that are alike: '+' or '-', incarnation, number of changes, users in each, all their users.
--
-- Returns the changes that were refused: number, reason, number, reason, ...
local server, servers, name, head, tail = KEYS[1], KEYS[2], ARGV[1], ARGV[2], ARGV[3]

local from, to = #head + 1, -#tail - 1
local channels = {}
for i = 3, #KEYS do
  channels[i - 2] = string.sub(KEYS[i], from, to)
end
local known = redis.call('HMGET', server, ':life', unpack(channels))
local life = known[1] and tonumber(known[1]) or -1
local there = {}
for i = 1, #channels do
  there[channels[i]] = known[i + 1]
end

local function each(command, key, first, last)
  for at = first, last, 5000 do
    local done = redis.pcall(command, key, unpack(ARGV, at, math.min(at + 4999, last)))
    if type(done) == 'table' and done.err then
      return done.err
    end
  end
end

local function add(i, first, last)
  local key, channel = KEYS[i + 2], channels[i]
  local problem = each('SADD', key, first, last)
  if not problem and not there[channel] then
    redis.call('HSET', server, channel, 1)
    redis.call('SADD', servers, name)
    there[channel] = '1'
  end
  return problem
end

local function leave(i, first, last)
  local key, channel = KEYS[i + 2], channels[i]
  local problem = each('SREM', key, first, last)
  if not problem and there[channel] and redis.call('EXISTS', key) == 0 then
    redis.call('HDEL', server, channel)
    there[channel] = false
  end
  return problem
end

local refused, change, at = {}, 1, 4
while ARGV[at] do
  local act, incarnation = leave, tonumber(ARGV[at + 1])
  if ARGV[at] == '+' then
    act = add
  end
  local changes, users, first = tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3]), at + 4
  if incarnation > life then
    -- One life at a time: with its first change a life ends those before it.
    if life >= 0 then
      clear(server, head, tail)
      there = {}
    end
    life = incarnation
    redis.call('HSET', server, ':life', ARGV[at + 1])
  end
  for _ = 1, changes do
    local problem = 'STALE'
    if incarnation == life then
      problem = act(change, first, first + users - 1)
    end
    if problem then
      refused[#refused + 1] = change
      refused[#refused + 1] = problem
    end
    change, first = change + 1, first + users
  end
  at = first
end
return refused
