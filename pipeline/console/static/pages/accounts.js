// Accounts by risk.

import { ask } from "../api.js";
import { h } from "../dom.js";
import { compact, count, day, rarity, score } from "../format.js";
import { accountLink, chip, choice, nothing, spark, sparkLabel } from "../parts.js";
import { change } from "../route.js";

const DAYS = [[1, "1 day"], [7, "7 days"], [31, "31 days"], [90, "90 days"]];

export const title = () => "Accounts by risk";

export const load = ({ run, days = 7 }, signal) => ask("accounts", { run, days, limit: 50 }, signal);

export function view({ accounts, step_h: step }, { days = 7 }) {
  return [
    h("div.head", null,
      h("h1", { tabindex: -1 }, "Accounts by risk"),
      choice("How far back", DAYS, days, (value) => change({ days: value }))),
    h("p.lead", null, "Accounts with incidents first, the gravest and largest on top; then by their highest score. Days count from the newest that the run has seen."),
    accounts.length ? list(accounts, step) : nothing("This run has no scores yet. They come a minute of event time after the first calls."),
  ];
}

function list(accounts, step) {
  const heads = ["", "account", "output tokens over time", "output tokens", "calls", "rarest score", "incident since"];
  return h("table.ranking", null,
    h("caption.unseen", null, "Accounts by risk"),
    h("thead", null, h("tr", null, heads.map((head, at) => h("th", { scope: "col", class: at > 2 ? "number" : null }, head || h("span.unseen", null, "rank"))))),
    h("tbody", null, accounts.map((one, at) =>
      h("tr", { key: `a ${one.account_id}`, "data-item": true },
        h("td.rank", null, at + 1),
        h("th.who", { scope: "row" }, accountLink(one.account_id, 44), " ", state(one)),
        h("td.over", null, spark(one.spark, sparkLabel(one.spark, step))),
        h("td.number", { "data-head": "tokens" }, h("span", { title: count(one.output_tokens) }, compact(one.output_tokens))),
        h("td.number", { "data-head": "calls" }, h("span", { title: count(one.calls) }, compact(one.calls))),
        h("td.number", { "data-head": "rarest score" }, h("span", { title: score(one.peak_score) }, rarity(one.peak_score))),
        h("td.number", { "data-head": "since" }, one.since ? day(one.since) : "")))));
}

function state(one) {
  if (one.open_incidents) return chip("open incident", "critical");
  return one.incidents ? chip("incident, closed", "high") : null;
}
