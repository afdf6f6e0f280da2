-- Adds and leaves at one server, in this order.
--
-- KEYS  the hash of the server; the list of servers.
-- ARGV  the server in that list; beginning and end of the keys of its sets; the number of changes; the channel of
--       each; then runs of changes that are alike: '+' or '-', incarnation, number of changes, users in each, all
--       their users.
--
-- Returns the changes that were refused: number, reason, number, reason, ...
local call, try, args = redis.call, redis.pcall, ARGV
local server, servers, name, head, tail = KEYS[1], KEYS[2], args[1], args[2], args[3]
local base, total = 4, tonumber(args[4])

-- What the hash has: the life, then whether it lists each change's channel.
local known = call('HMGET', server, ':life', unpack(args, base + 1, base + total))
local life = known[1] and tonumber(known[1]) or -1
-- Channels that were listed by these changes.
local listed = {}
-- Sets that may be empty now, and their channels.
local left, left_channels = {}, {}

local function each(command, key, first, last)
  if first == last then
    local done = try(command, key, args[first])
    return type(done) == 'table' and done.err
  end
  for at = first, last, 5000 do
    local done = try(command, key, unpack(args, at, math.min(at + 4999, last)))
    if type(done) == 'table' and done.err then
      return done.err
    end
  end
end

local function add(i, first, last)
  local channel = args[base + i]
  local problem = each('SADD', head .. channel .. tail, first, last)
  if not problem and not known[i + 1] and not listed[channel] then
    call('HSET', server, channel, 1)
    call('SADD', servers, name)
    listed[channel] = true
  end
  return problem
end

local function leave(i, first, last)
  local channel = args[base + i]
  local key = head .. channel .. tail
  local problem = each('SREM', key, first, last)
  if not problem and (known[i + 1] or listed[channel]) then
    left[#left + 1] = key
    left_channels[#left] = channel
  end
  return problem
end

local refused, change, at = {}, 1, base + total + 1
while args[at] do
  local act, incarnation = leave, tonumber(args[at + 1])
  if args[at] == '+' then
    act = add
  end
  local changes, users, first = tonumber(args[at + 2]), tonumber(args[at + 3]), at + 4
  if incarnation > life then
    -- One life at a time: with its first change a life ends those before it.
    if life >= 0 then
      clear(server, head, tail)
      known, listed = {}, {}
    end
    life = incarnation
    call('HSET', server, ':life', args[at + 1])
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

-- Mostly all of them still have members.
if #left > 0 and call('EXISTS', unpack(left)) < #left then
  for i, key in ipairs(left) do
    if call('EXISTS', key) == 0 then
      call('HDEL', server, left_channels[i])
    end
  end
end
return refused
