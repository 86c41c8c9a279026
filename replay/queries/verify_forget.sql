DROP TABLE IF EXISTS verify_call_scores;
DROP TABLE IF EXISTS verify_account_windows;
DROP TABLE IF EXISTS verify_incidents;
DROP TABLE IF EXISTS verify_campaigns;
DROP TABLE IF EXISTS verify_campaign_members;
