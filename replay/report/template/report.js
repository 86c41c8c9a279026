"use strict";
// Under a pointer a chart says the time and the value there. The page is whole without it.
for (const area of document.querySelectorAll("svg[data-readout]")) {
  const path = area.querySelector("path.reads");
  if (!path) continue;
  const [from, to] = area.dataset.x.split(",").map(Number);
  const [low, high] = area.dataset.y.split(",").map(Number);
  const height = Number(area.dataset.height);
  const tops = [];
  let y = height;
  let left = 0;
  for (const [, verb, first, second] of path.getAttribute("d").matchAll(/([MLHV])([\d.]+)(?:,([\d.]+))?/g)) {
    if (verb === "M" || verb === "L") { left = Number(first); y = Number(second); }
    else if (verb === "V") y = Number(first);
    else { if (y < height) tops.push([left, Number(first), y]); left = Number(first); }
  }
  const plot = area.parentElement;
  const readout = document.createElement("div");
  readout.className = "readout";
  readout.hidden = true;
  readout.setAttribute("aria-hidden", "true");
  plot.append(readout);
  const cross = document.createElementNS("http://www.w3.org/2000/svg", "line");
  cross.setAttribute("class", "cross");
  cross.setAttribute("y1", 0);
  cross.setAttribute("y2", height);
  const value = (at) => {
    const share = 1 - at / height;
    return area.dataset.log ? Math.expm1(share * Math.log1p(high)) : low + share * (high - low);
  };
  area.addEventListener("pointermove", (event) => {
    const box = area.getBoundingClientRect();
    const share = Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1);
    const column = tops.find(([start, end]) => start <= share * 1000 && share * 1000 < end);
    const time = new Date(from + share * (to - from)).toISOString().slice(0, 16).replace("T", " ");
    const seen = column ? Number(value(column[2]).toPrecision(3)).toLocaleString("en") : "none";
    readout.textContent = `${time}: ${seen} ${area.dataset.readout}`;
    readout.hidden = false;
    cross.setAttribute("x1", `${share * 100}%`);
    cross.setAttribute("x2", `${share * 100}%`);
    if (!cross.parentNode) area.append(cross);
  });
  area.addEventListener("pointerleave", () => { readout.hidden = true; cross.remove(); });
}
