// A campaign as a graph: accounts, the values they share, and lines between them. Forces push nodes apart and pull linked ones
// together, from places that depend on nothing but their order, so that the same campaign always looks the same.

import { s } from "./dom.js";
import { name, words } from "./format.js";
import { link } from "./route.js";

const WIDTH = 900;
const HEIGHT = 560;
const ROUNDS = 240;
export const MOST_NODES = 220;

export function graph(accounts) {
  const { nodes, lines, left } = gathered(accounts);
  settle(nodes, lines);
  const svg = s("svg.graph", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "group", "aria-label": `Graph of ${accounts.length} accounts and the values that link them` },
    lines.map(([one, other, weight]) => s("line", { x1: one.x, y1: one.y, x2: other.x, y2: other.y, "stroke-width": Math.min(3, 0.5 + weight / 3), "data-ends": `${one.at} ${other.at}` })),
    nodes.map((node) => drawn(node)));
  const light = (event) => {
    const node = event.target.closest?.("[data-at]");
    for (const line of svg.querySelectorAll("line")) {
      line.classList.toggle("lit", Boolean(node) && line.dataset.ends.split(" ").includes(node.dataset.at));
    }
  };
  svg.addEventListener("pointerover", light);
  svg.addEventListener("focusin", light);
  return { svg, left };
}

function gathered(accounts) {
  const nodes = [];
  const values = new Map();
  const lines = [];
  let left = 0;
  const shared = new Map();
  for (const one of accounts) for (const each of one.evidence) shared.set(`${each.link} ${each.value}`, (shared.get(`${each.link} ${each.value}`) || 0) + 1);
  for (const account of accounts) {
    if (nodes.length >= MOST_NODES - 1) {
      left += 1;
      continue;
    }
    const node = { at: nodes.length, account: account.account_id, incidents: account.incidents };
    nodes.push(node);
    for (const each of account.evidence) {
      const key = `${each.link} ${each.value}`;
      // A value that only one member has links nothing here.
      if (shared.get(key) < 2) continue;
      if (!values.has(key)) {
        if (nodes.length >= MOST_NODES) continue;
        values.set(key, { at: nodes.length, link: each.link, value: each.value, members: shared.get(key) });
        nodes.push(values.get(key));
      }
      lines.push([node, values.get(key), each.weight]);
    }
  }
  return { nodes, lines, left };
}

function settle(nodes, lines) {
  nodes.forEach((node, index) => {
    const turn = index * 2.399963;
    const far = (node.account === undefined ? 60 : 150) + 4 * Math.sqrt(index);
    node.x = WIDTH / 2 + far * Math.cos(turn);
    node.y = HEIGHT / 2 + far * Math.sin(turn) * 0.7;
  });
  const ideal = Math.min(120, 0.75 * Math.sqrt((WIDTH * HEIGHT) / Math.max(1, nodes.length)));
  for (let round = 0; round < ROUNDS; round += 1) {
    const heat = 14 * (1 - round / ROUNDS);
    for (const node of nodes) node.dx = node.dy = 0;
    for (let i = 0; i < nodes.length; i += 1) {
      for (let j = i + 1; j < nodes.length; j += 1) push(nodes[i], nodes[j], ideal);
    }
    for (const [one, other, weight] of lines) pull(one, other, ideal, Math.min(1.5, 0.4 + weight / 5));
    for (const node of nodes) {
      node.dx += (WIDTH / 2 - node.x) * 0.01 * ideal * 0.1;
      node.dy += (HEIGHT / 2 - node.y) * 0.02 * ideal * 0.1;
      const force = Math.hypot(node.dx, node.dy) || 1;
      node.x = Math.min(WIDTH - 80, Math.max(80, node.x + (node.dx / force) * Math.min(heat, force)));
      node.y = Math.min(HEIGHT - 34, Math.max(26, node.y + (node.dy / force) * Math.min(heat, force)));
    }
  }
}

function push(one, other, ideal) {
  const x = one.x - other.x || 0.01 * (one.at - other.at);
  const y = (one.y - other.y) * 1.2 || 0.01;
  const force = (ideal * ideal) / (x * x + y * y);
  one.dx += x * force;
  one.dy += y * force;
  other.dx -= x * force;
  other.dy -= y * force;
}

function pull(one, other, ideal, strength) {
  const x = one.x - other.x;
  const y = one.y - other.y;
  const force = (Math.hypot(x, y) / ideal) * strength * 0.5;
  one.dx -= x * force;
  one.dy -= y * force;
  other.dx += x * force;
  other.dy += y * force;
}

function drawn(node) {
  const place = { "data-at": node.at, transform: `translate(${node.x.toFixed(1)} ${node.y.toFixed(1)})` };
  if (node.account !== undefined) {
    return s("a.member", { href: link("account", { id: node.account }), "aria-label": `account ${name(node.account, 60)}`, ...place },
      s("title", null, name(node.account, 200)), s("circle", { r: 9, class: node.incidents ? "with" : null }), s("text", { y: 22 }, name(node.account, 20)));
  }
  const size = 8 + Math.min(6, node.members / 3);
  return s("g.value", { tabindex: 0, role: "img", "aria-label": `${words(node.link)} ${name(node.value, 60)}, shared by ${node.members}`, ...place },
    s("title", null, `${words(node.link)} ${name(node.value, 200)}, shared by ${node.members}`),
    s("rect", { x: -size, y: -size, width: 2 * size, height: 2 * size, rx: 3 }), s("text", { y: -size - 5 }, `${words(node.link)} ${name(node.value, 18)}`));
}
