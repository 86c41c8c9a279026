SELECT kind, start, end, campaign_id, source, note
FROM labels FINAL
WHERE account_id = {account:String}
ORDER BY start, kind
