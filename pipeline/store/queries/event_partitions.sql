-- The partitions that have events in a time range, and how many each.
SELECT if(partition >= 0, partition, toInt32(kafkaMurmurHash(account_id) % {partitions:UInt32})) AS number, count()
FROM api_calls
WHERE ts >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC') AND ts < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')
    AND (empty({accounts:Array(String)}) OR account_id IN {accounts:Array(String)})
GROUP BY number
ORDER BY number
