SELECT max(ts) AS newest_event, max(received_at) AS newest_receipt, count() AS events
FROM api_calls
