// Incidents to look after: those that wait come first.

import { ask, session } from "../api.js";
import { h } from "../dom.js";
import { count, name, words } from "../format.js";
import { chip, choice, entityLink, id, nothing, select, severity, table, when } from "../parts.js";
import { change, link } from "../route.js";
import { buttons, liftSuppression } from "../decide.js";

export const title = () => "Incidents";

export async function load({ run, triage = "waiting", status, severity: level }, signal) {
  const [{ incidents }, { suppressions }] = await Promise.all([
    ask("incidents", { run, triage: triage === "all" ? "" : triage, status, severity: level }, signal),
    ask("suppressions", {}, signal),
  ]);
  return { incidents, suppressions };
}

export function view({ incidents, suppressions }, { triage = "waiting", status = "", severity: level = "" }) {
  return [
    h("div.head", null,
      h("h1", { tabindex: -1 }, "Incidents"),
      choice("Which", [["waiting", "Waiting"], ["done", "Seen to"], ["all", "All"]], triage, (value) => change({ triage: value })),
      select("status", [["", "any"], ["open", "open"], ["closed", "closed"]], status, (value) => change({ status: value })),
      select("severity", [["", "any"], ["critical", "critical"], ["high", "high"], ["medium", "medium"], ["low", "low"]], level, (value) => change({ severity: value }))),
    incidents.length ? h("div.list", null, incidents.map(item)) : nothing(triage === "waiting" ? "Nothing waits for anybody." : "No such incident in this run."),
    h("h2", null, "Suppressions"),
    suppressions.length ? table("Accounts that open no incident for a time", [
      { head: "accounts", cell: (one) => id(one.account, 60) },
      { head: "kinds", cell: (one) => one.kinds.map((kind) => name(kind, 20)).join(", ") || "all" },
      { head: "until", cell: (one) => when(one.until) },
      { head: "unless evidence reaches", kind: "number", cell: (one) => `${one.above.toFixed(1)} nats` },
      { head: "by", cell: (one) => name(one.by, 20) },
      { head: "because", cell: (one) => h("bdi", null, name(one.note, 200)) },
      !session.readOnly && { head: h("span.unseen", null, "end it"), cell: (one) => one.by === "suppress" && one.until > Date.now() && h("button", { type: "button", onclick: () => liftSuppression(one.account, one.kinds) }, "Lift") },
    ].filter(Boolean), suppressions, { key: (one) => `s ${one.by} ${one.account} ${one.since} ${one.kinds}` }) : nothing("No account is suppressed."),
  ];
}

function item(one) {
  return h("article.incident", { key: `i ${one.incident_id}`, "data-item": true, "data-incident": one.incident_id },
    h("div.line", null,
      severity(one.severity),
      h("a.open", { href: link("incident", { id: one.incident_id }) }, words(one.kind)),
      entityLink(one.entity_type, one.entity_id),
      one.acknowledged && chip("acknowledged", "done"),
      one.verdict && chip(`labelled ${name(one.verdict, 40)}`, "done"),
      h("span.muted", null, `${name(one.status, 20)}, detected `, when(one.detected_at), `, ${count(one.output_tokens)} output tokens`)),
    h("p.summary", null, h("bdi", null, name(one.summary, 400))),
    buttons(one));
}
