SELECT reason, count() AS events, max(received_at) AS latest, argMax(detail, received_at) AS example
FROM rejected_events
WHERE received_at >= now64(3, 'UTC') - toIntervalDay({days:UInt32})
GROUP BY reason
ORDER BY events DESC, reason
LIMIT 50
