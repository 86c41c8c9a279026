// A campaign as a graph: its accounts on the left, the values that they share on the right, lines between them. Each side is
// ordered by where its partners stand, so that lines cross little, and the same campaign always looks the same.

import { s } from "./dom.js";
import { name, words } from "./format.js";
import { link } from "./route.js";

const WIDTH = 660;
const STEP = 25;
const ACCOUNTS_AT = 170;
const VALUES_AT = 385;
const ROUNDS = 12;
export const MOST_EACH = 120;

export function graph(accounts) {
  const { members, values, lines } = gathered(accounts);
  order(members, values, lines);
  const height = STEP * Math.max(members.length, values.length, 1) + 16;
  place(members, ACCOUNTS_AT, height);
  place(values, VALUES_AT, height);
  const svg = s("svg.graph", { viewBox: `0 0 ${WIDTH} ${height}`, role: "group", "aria-label": `Graph of ${members.length} accounts and ${values.length} values that they share` },
    lines.map(([one, other, weight]) => s("path", {
      d: `M${one.x} ${one.y}C${one.x + 100} ${one.y} ${other.x - 100} ${other.y} ${other.x} ${other.y}`,
      "stroke-width": Math.min(3, 0.6 + weight / 4).toFixed(1), "data-ends": `${one.key} ${other.key}`,
    })),
    members.map(member), values.map(value));
  const light = (event) => {
    const key = event.target.closest?.("[data-at]")?.dataset.at;
    for (const line of svg.querySelectorAll("path")) line.classList.toggle("lit", key !== undefined && line.dataset.ends.split(" ").includes(key));
  };
  svg.addEventListener("pointerover", light);
  svg.addEventListener("focusin", light);
  return svg;
}

function gathered(accounts) {
  const shared = new Map();
  for (const one of accounts) {
    for (const each of one.evidence) {
      const key = `${each.link} ${each.value}`;
      shared.set(key, { link: each.link, value: each.value, members: (shared.get(key)?.members || 0) + 1 });
    }
  }
  // A value that only one member has links nothing here.
  const values = [...shared.values()].filter((one) => one.members > 1).sort((one, other) => other.members - one.members).slice(0, MOST_EACH);
  values.forEach((one, at) => { one.key = `v${at}`; });
  const found = new Map(values.map((one) => [`${one.link} ${one.value}`, one]));
  const members = accounts.slice(0, MOST_EACH).map((one, at) => ({ key: `a${at}`, account: one.account_id, incidents: one.incidents }));
  const lines = members.flatMap((one, at) =>
    accounts[at].evidence.map((each) => [one, found.get(`${each.link} ${each.value}`), each.weight]).filter(([, other]) => other));
  return { members, values, lines };
}

// Each stands at the mean of its partners' places (barycentre heuristic, Sugiyama et al. 1981), in turns.
function order(members, values, lines) {
  for (let round = 0; round < ROUNDS; round += 1) {
    const [still, moving, side] = round % 2 ? [values, members, 0] : [members, values, 1];
    still.forEach((one, at) => { one.at = at; });
    const sums = new Map(moving.map((one) => [one, [0, 0]]));
    for (const line of lines) {
      const sum = sums.get(line[side]);
      sum[0] += line[1 - side].at;
      sum[1] += 1;
    }
    moving.forEach((one) => { one.mean = sums.get(one)[1] ? sums.get(one)[0] / sums.get(one)[1] : Infinity; });
    moving.sort((one, other) => one.mean - other.mean || (one.key < other.key ? -1 : 1));
  }
}

function place(side, x, height) {
  const step = (height - 16) / Math.max(1, side.length);
  side.forEach((one, at) => {
    one.x = x;
    one.y = Number((8 + step * (at + 0.5)).toFixed(1));
  });
}

function member(one) {
  return s("a.member", { href: link("account", { id: one.account }), "aria-label": `account ${name(one.account, 60)}`, "data-at": one.key },
    s("title", null, name(one.account, 200)),
    s("circle", { cx: one.x, cy: one.y, r: 7, class: one.incidents ? "with" : null }),
    s("text", { x: one.x - 14, y: one.y + 4, "text-anchor": "end" }, name(one.account, 24)));
}

function value(one) {
  const size = 5 + Math.min(4, one.members / 4);
  const text = `${words(one.link)} ${name(one.value, 60)}, shared by ${one.members}`;
  return s("g.value", { tabindex: 0, role: "img", "aria-label": text, "data-at": one.key },
    s("title", null, text),
    s("rect", { x: one.x - size, y: one.y - size, width: 2 * size, height: 2 * size, rx: 2 }),
    s("text", { x: one.x + 15, y: one.y + 4 }, s("tspan", null, words(one.link).slice(0, 16)), ` ${name(one.value, 16)} · ${one.members}`));
}
