// One campaign: who is in it, and what links them.

import { ask } from "../api.js";
import { h, widget } from "../dom.js";
import { count, name, rarity, words } from "../format.js";
import { graph, MOST_EACH } from "../graph.js";
import { accountLink, chip, evidence, facts, id, nothing, reasons, severity, table, when } from "../parts.js";
import { buttons } from "../decide.js";
import { link } from "../route.js";

export const title = ({ id: campaign = "" }) => `Campaign ${name(campaign, 40)}`;

export const load = ({ run, id: campaign = "" }, signal) => ask("campaign", { run, id: campaign }, signal);

export function view(one) {
  const drawn = one.accounts.reduce((sum, each) => sum + each.output_tokens, 0);
  return [
    h("div.head", null, h("h1", { tabindex: -1 }, "Campaign ", id(one.campaign_id, 60))),
    h("p.chips", null, chip(name(one.status, 20), one.status === "open" ? "critical" : "plain")),
    facts([
      ["accounts", count(one.members)],
      ["output tokens", count(one.output_tokens)],
      ["drawn by its members in all", count(drawn)],
      ["first evidence", when(one.opened_at)],
      ["detected", when(one.detected_at)],
      ["latest evidence", when(one.last_seen_at)],
      ["by chance", rarity(one.score)],
    ]),
    h("h2", null, "Who shares what"),
    one.accounts.length ? [
      h("p.lead", null, "Accounts on the left, red where they have an incident of their own; values that at least two of them share on the right, with how many do."),
      widget("div.canvas", { key: "graph" }, picture, one.accounts),
      one.accounts.length > MOST_EACH && h("p.muted", null, `The first ${MOST_EACH} are drawn; the table has more.`),
    ] : nothing("No member is known yet."),
    h("h2", null, "Incidents"),
    one.incidents.map(item),
    h("h2", null, "Members"),
    table("Members", [
      { head: "account", cell: (each) => accountLink(each.account_id, 44) },
      { head: "joined", cell: (each) => when(each.joined_at) },
      { head: "output tokens", kind: "number", cell: (each) => count(each.output_tokens) },
      { head: "calls", kind: "number", cell: (each) => count(each.calls) },
      { head: "own incidents", kind: "number", cell: (each) => count(each.incidents) },
      { head: "linked by", cell: (each) => evidence(each.evidence, 4) },
    ], one.accounts, { key: (each) => each.account_id }),
    table("Evidence of the campaign", [
      { head: "link", cell: (each) => words(each.link) },
      { head: "value", cell: (each) => id(each.value, 80) },
      { head: "nats", kind: "number", cell: (each) => each.weight.toFixed(1) },
    ], one.evidence),
  ];
}

function item(incident) {
  return h("article.incident", { key: incident.incident_id, "data-item": true, "data-incident": incident.incident_id },
    h("div.line", null, severity(incident.severity), h("a.open", { href: link("incident", { id: incident.incident_id }) }, words(incident.kind)),
      h("span.muted", null, `${name(incident.status, 20)}, detected `, when(incident.detected_at), `, ${count(incident.output_tokens)} output tokens`),
      incident.acknowledged && chip("acknowledged", "done")),
    incident.status === "open" ? reasons(incident.reasons) : h("details", null, h("summary", null, "Why"), reasons(incident.reasons)),
    buttons(incident));
}

// Drawn anew only when members or links have changed, so that a focus within stays.
function picture(element, accounts) {
  let known = "";
  const update = (now) => {
    const text = JSON.stringify(now.map((one) => [one.account_id, one.evidence, one.incidents]));
    if (text === known) return;
    known = text;
    element.replaceChildren(graph(now));
  };
  update(accounts);
  return { update };
}
