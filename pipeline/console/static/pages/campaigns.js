// Campaigns of accounts that act together.

import { ask } from "../api.js";
import { h } from "../dom.js";
import { count, name, rarity } from "../format.js";
import { accountLink, chip, evidence, id, nothing, when } from "../parts.js";
import { link } from "../route.js";

export const title = () => "Campaigns";

export const load = ({ run }, signal) => ask("campaigns", { run }, signal);

export function view({ campaigns }) {
  return [
    h("div.head", null, h("h1", { tabindex: -1 }, "Campaigns")),
    h("p.lead", null, "Accounts that share what few others have, and behave together."),
    campaigns.length ? h("div.list", null, campaigns.map(item)) : nothing("No campaign in this run."),
  ];
}

function item(one) {
  return h("article.incident", { key: one.campaign_id, "data-item": true },
    h("div.line", null,
      chip(name(one.status, 20), one.status === "open" ? "critical" : "plain"),
      h("a.open", { href: link("campaign", { id: one.campaign_id }) }, `${count(one.members)} accounts`),
      id(one.campaign_id, 24),
      h("span.muted", null, "detected ", when(one.detected_at), `, ${count(one.output_tokens)} output tokens, sure: ${rarity(one.score)} to be chance`)),
    h("p", null, evidence(one.evidence, 5)),
    h("p.muted", null, "first members ", one.first_members.map((account) => [accountLink(account, 24), " "])));
}
