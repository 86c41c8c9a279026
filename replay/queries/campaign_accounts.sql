-- The members of a campaign as one run knows them; the stream before replays.
SELECT account_id
FROM campaign_members FINAL
WHERE campaign_id = {campaign_id:String}
    AND run_id = (
        SELECT argMin(run_id, (run_id != {first:String}, run_id)) FROM campaign_members WHERE campaign_id = {campaign_id:String}
    )
ORDER BY account_id
