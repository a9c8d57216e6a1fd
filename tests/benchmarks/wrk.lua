-- For wrk: asks for each path of a file in turn, at a pace if one is given, and prints what came of it as JSON.
-- wrk -s wrk.lua URL -- PATHS-FILE REQUESTS-A-SECOND (0: as fast as they are answered) AGENT [PURPOSE]

local ffi = require("ffi")
ffi.cdef [[
  typedef struct { long seconds; long nanoseconds; } moment;
  int clock_gettime(int clock, moment *at);
]]
local MONOTONIC = 1

local function now()
  local at = ffi.new("moment")
  ffi.C.clock_gettime(MONOTONIC, at)
  return tonumber(at.seconds) * 1000 + tonumber(at.nanoseconds) / 1e6
end

local requests, turn = {}, 0
local between, due

function init(arguments)
  local paths, rate = arguments[1], tonumber(arguments[2])
  local headers = { ["Host"] = "t", ["Accept"] = "image/*", ["User-Agent"] = arguments[3], ["Purpose"] = arguments[4] }
  for path in io.lines(paths) do
    requests[#requests + 1] = wrk.format("GET", path, headers)
  end
  if rate > 0 then
    between, due = 1000 / rate, now()
    -- wrk asks for a delay only if there is such a function. Each request has its own time, whatever the last one took.
    function delay()
      due = due + between
      return math.max(0, math.floor(due - now()))
    end
  end
end

function request()
  turn = turn % #requests + 1
  return requests[turn]
end

function done(summary, latency, _)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  io.stderr:write(string.format(
    '{"answered": %d, "seconds": %.6f, "failed": %d, "p50_ms": %.3f, "p99_ms": %.3f}\n',
    summary.requests, summary.duration / 1e6, failed, latency:percentile(50) / 1000, latency:percentile(99) / 1000))
end
