// Pieces that several pages show.

import { h, s } from "./dom.js";
import { count, name, share, time, words } from "./format.js";
import { link } from "./route.js";

export const severity = (level) => h(`span.chip.${["low", "medium", "high", "critical"].includes(level) ? level : "low"}`, null, name(level, 20));

export const chip = (text, kind = "plain", title = null) => h(`span.chip.${kind}`, { title }, text);

// A name that came with events: shown apart from the text around it, whatever its direction.
export const id = (text, most) => h("bdi.id", { title: String(text).length > (most || 80) ? name(text, 300) : null }, name(text, most));

export const accountLink = (account, most) => h("a", { href: link("account", { id: account }) }, id(account, most));

export const entityLink = (type, entity) =>
  h("a", { href: link(type === "campaign" ? "campaign" : "account", { id: entity }) }, type === "campaign" ? "campaign " : "", id(entity, 40));

export function facts(pairs) {
  return h("dl.facts", null, pairs.filter(Boolean).map(([term, ...values]) => h("div", null, h("dt", null, term), h("dd", null, values))));
}

// columns: [{head, cell(record), kind}]
export function table(caption, columns, records, { key, row } = {}) {
  return h("div.scroll", { tabindex: 0, role: "region", "aria-label": caption },
    h("table", null,
      h("caption", null, caption),
      h("thead", null, h("tr", null, columns.map((column) => h("th", { scope: "col", class: column.kind }, column.head)))),
      h("tbody", null, records.map((record, index) =>
        h("tr", { key: key?.(record), ...(row?.(record, index) || {}) },
          columns.map((column) => h("td", { class: column.kind, "data-head": typeof column.head === "string" ? column.head : null }, column.cell(record, index))))))));
}

export function reasons(list) {
  return h("ul.reasons", null, list.map((reason) =>
    h("li", null,
      s("svg.weight", { viewBox: "0 0 60 8", width: 60, height: 8, "aria-hidden": "true" },
        s("rect.rail", { width: 60, height: 8, rx: 2 }), s("rect.fill", { width: Math.max(1, 60 * Math.min(1, reason.share || 0)), height: 8, rx: 2 })),
      h("span.part", null, share(reason.share || 0)), h("span", null, name(reason.words, 200)))));
}

export function spark(values, label) {
  if (!values.length) return h("span.muted", null, "–");
  const most = Math.max(...values, 1);
  const bars = values.map((value, at) => (value > 0 ? `M${at + 0.5} 24V${(24 - Math.max(1, (value / most) * 22)).toFixed(1)}` : "")).join("");
  return s("svg.spark", { viewBox: `0 0 ${values.length} 24`, preserveAspectRatio: "none", role: "img", "aria-label": label }, s("path", { d: bars }));
}

export const sparkLabel = (values, stepHours) =>
  `output tokens in steps of ${stepHours} hours: at most ${count(Math.max(0, ...values))}, in the latest ${count(values.at(-1) || 0)}`;

export const nothing = (text) => h("p.nothing", null, text);

export function choice(label, options, chosen, pick) {
  return h("div.choice", { role: "group", "aria-label": label }, options.map(([value, text]) =>
    h("button", { type: "button", "aria-pressed": String(String(value) === String(chosen)), onclick: () => pick(value) }, text)));
}

export function select(label, options, chosen, pick) {
  return h("label", null, `${label} `, h("select", { value: chosen, onchange: (event) => pick(event.target.value) },
    options.map(([value, text]) => h("option", { value }, text))));
}

export const evidence = (list, most = 3) =>
  [...list].sort((one, other) => other.weight - one.weight).slice(0, most).map((one) => h("span.evidence", null, `${words(one.link)} `, id(one.value, 40)));

export const when = (value) => h("time", { datetime: typeof value === "number" ? new Date(value).toISOString() : value || null }, time(value));
