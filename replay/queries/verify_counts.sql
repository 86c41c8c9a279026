SELECT
    (SELECT count() FROM verify_call_scores FINAL) AS call_scores,
    (SELECT count() FROM verify_account_windows FINAL) AS account_windows,
    (SELECT count() FROM verify_incidents FINAL) AS incidents,
    (SELECT count() FROM verify_campaigns FINAL) AS campaigns,
    (SELECT count() FROM verify_campaign_members FINAL) AS campaign_members
