-- Where a replay that is only to be compared is written; nobody else looks there.
CREATE TABLE verify_call_scores AS call_scores;
CREATE TABLE verify_account_windows AS account_windows;
CREATE TABLE verify_incidents AS incidents;
CREATE TABLE verify_campaigns AS campaigns;
CREATE TABLE verify_campaign_members AS campaign_members;
