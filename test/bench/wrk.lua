-- The last thing that wrk prints is a line for programs. Times are in microseconds.
done = function(summary, latency, requests)
   local e = summary.errors
   io.write(string.format('{"requests":%d,"duration":%d,"refused":%d,"broken":%d,"p50":%d,"p99":%d,"max":%d}\n',
      summary.requests, summary.duration, e.status, e.connect + e.read + e.write + e.timeout,
      latency:percentile(50), latency:percentile(99), latency.max))
end
