-- wrk's script: its arguments are the method, the size of a body, and perhaps a file of paths, one a line, that are asked
-- in turn. The figures come back as one line of JSON.
function init(args)
  wrk.method = args[1]
  local size = tonumber(args[2])
  if size > 0 then
    wrk.body = string.rep("x", size)
    wrk.headers["Content-Type"] = "application/octet-stream"
  end
  if args[3] then
    local requests, last = {}, 0
    for path in io.lines(args[3]) do
      requests[#requests + 1] = wrk.format(nil, path)
    end
    function request()
      last = last % #requests + 1
      return requests[last]
    end
  end
end

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    '\n{"requests": %d, "seconds": %f, "p50_ms": %f, "p99_ms": %f, "above_399": %d, "socket_errors": %d, "read_errors": %d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    errors.status, errors.connect + errors.write + errors.timeout, errors.read))
end
