-- Sends the requests of a file, one per line: token, tab, body. Counts every answer that holds an error.
local requests, index = {}, 0
failures, example = 0, nil -- global: `done` reads them from each thread
local threads = {}

function setup(thread)
  table.insert(threads, thread)
end

function init(arguments)
  for line in io.lines(arguments[1]) do
    local token, body = line:match("^([^\t]+)\t(.*)$")
    local headers = {
      ["Authorization"] = "Bearer " .. token,
      ["Content-Type"] = "application/json",
      ["Accept"] = "application/json",
    }
    table.insert(requests, wrk.format("POST", nil, headers, body))
  end
end

function request()
  index = index % #requests + 1
  return requests[index]
end

function response(status, headers, body)
  if status ~= 200 or body:find('"errors":[{', 1, true) or body:find('"data":null', 1, true)
     or body:find('"session":null', 1, true) then
    failures = failures + 1
    example = example or (status .. " " .. body:sub(1, 300))
  end
end

function done(summary, latency, requests)
  local total, example = 0, nil
  for _, thread in ipairs(threads) do
    total = total + thread:get("failures")
    example = example or thread:get("example")
  end
  local e = summary.errors
  io.write(string.format(
    '\n{"requests":%d,"seconds":%.6f,"wrong":%d,"p50":%.3f,"p95":%.3f,"p99":%.3f}\n',
    summary.requests, summary.duration / 1e6, total + e.connect + e.read + e.write + e.timeout,
    latency:percentile(50) / 1e3, latency:percentile(95) / 1e3, latency:percentile(99) / 1e3))
  if example then io.write("EXAMPLE " .. example .. "\n") end
end
