-- Bodies from files, one after another; what came of it as one line of JSON.
-- Environment: BODIES (paths, a line each), CONTENT_TYPE, ACCEPT.

local requests, last = {}, 0

function init(args)
  local headers = { ["Content-Type"] = os.getenv("CONTENT_TYPE"), ["Accept"] = os.getenv("ACCEPT") }
  for path in os.getenv("BODIES"):gmatch("[^\n]+") do
    local file = assert(io.open(path, "rb"))
    requests[#requests + 1] = wrk.format("POST", nil, headers, file:read("*a"))
    file:close()
  end
end

function request()
  last = last % #requests + 1
  return requests[last]
end

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    '\nRESULT {"requests": %d, "seconds": %.6f, "p50_ms": %.3f, "p99_ms": %.3f, "failed": %d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    errors.connect + errors.read + errors.write + errors.timeout + errors.status
  ))
end
