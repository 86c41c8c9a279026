// A chart over time on a canvas. However many points there are, each column of pixels is drawn once, with the least and the most of
// what falls into it, so that no peak is lost. Mouse: hover shows values, dragging zooms. Keys: arrows, Home, End, + - 0.

import { h } from "./dom.js";
import { compact, time } from "./format.js";
import { ink, niceSteps, timeSteps } from "./axes.js";
import * as layers from "./layers.js";
import { BOTTOM, LEFT, RIGHT, TOP } from "./layers.js";

// data: {label, from, to, t, width (ms of a bar, or 0), layers: [{kind: bars|area|line|band|dots, values, …}], spans, scale,
//        told(index) -> text, zoom(from, to), cursor}
export function chart(element, data) {
  return new Chart(element, data);
}

class Chart {
  constructor(element, data) {
    this.canvas = document.createElement("canvas");
    this.tip = h("div.tip", { hidden: true });
    this.brush = h("div.brush", { hidden: true });
    element.replaceChildren(this.canvas, this.brush, this.tip);
    this.element = element;
    element.tabIndex = 0;
    element.setAttribute("role", "slider");
    this.at = -1;
    this.update(data);
    new ResizeObserver(() => this.draw()).observe(element);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
    document.addEventListener("theme", () => this.draw());
    element.onpointermove = (event) => this.move(event);
    element.onpointerdown = (event) => this.press(event);
    element.onpointerup = (event) => this.release(event);
    element.onpointerleave = () => this.dragged === undefined && this.point(-1, true);
    element.onblur = () => this.point(-1, true);
    element.onkeydown = (event) => this.key(event);
  }

  update(data) {
    this.data = data;
    data.cursor?.add(this);
    this.at = Math.min(this.at, data.t.length - 1);
    this.element.setAttribute("aria-label", data.label);
    this.element.setAttribute("aria-valuemin", "0");
    this.element.setAttribute("aria-valuemax", String(Math.max(0, data.t.length - 1)));
    this.say();
    this.draw();
  }

  get plot() {
    return { width: Math.max(1, this.element.clientWidth - LEFT - RIGHT), height: Math.max(1, this.element.clientHeight - TOP - BOTTOM) };
  }

  x(t) {
    return LEFT + ((t - this.data.from) / (this.data.to - this.data.from)) * this.plot.width;
  }

  y(value) {
    const { low, high } = this.range;
    const part = (this.data.scale ? this.data.scale(value) : value) - low;
    return TOP + this.plot.height * (1 - Math.min(1, Math.max(0, part / (high - low))));
  }

  draw() {
    const { clientWidth: width, clientHeight: height } = this.element;
    if (!width || !height) return;
    const ratio = window.devicePixelRatio || 1;
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(height * ratio);
    const pen = this.canvas.getContext("2d");
    pen.scale(ratio, ratio);
    this.colours = ink(this.element);
    this.range = this.found();
    this.columns = this.data.layers.map((layer) => this.decimated(layer));
    this.axes(pen);
    this.data.layers.forEach((layer, index) => layers[layer.kind](pen, this, layer, this.columns[index]));
    this.mark(pen);
    this.element.dataset.points = String(this.data.t.length);
  }

  found() {
    if (this.data.range) return { low: this.data.range[0], high: this.data.range[1] };
    let high = 0;
    for (const layer of this.data.layers) {
      if (layer.kind === "band") continue;
      for (let i = 0; i < layer.values.length; i += 1) if (layer.values[i] > high) high = layer.values[i];
    }
    return { low: 0, high: this.data.scale ? this.data.scale(high || 1) * 1.02 : high ? high * 1.06 : 1 };
  }

  // For each column of pixels: least, most, and the most of what is usual, from one pass over the points.
  decimated(layer) {
    const size = Math.ceil(this.plot.width) + 1;
    const least = new Float64Array(size).fill(Infinity);
    const most = new Float64Array(size).fill(-Infinity);
    const other = new Float64Array(size).fill(-Infinity);
    const { t, width } = this.data;
    for (let i = 0; i < t.length; i += 1) {
      const value = layer.values[i];
      if (value === null || value === undefined) continue;
      const column = Math.floor(this.x(t[i] + (layer.kind === "bars" ? 0 : width / 2)) - LEFT);
      if (column < 0 || column >= size) continue;
      if (value < least[column]) least[column] = value;
      if (value > most[column]) most[column] = value;
      const beside = layer.usual?.[i];
      if (beside !== null && beside !== undefined && beside > other[column]) other[column] = beside;
    }
    return { least, most, other };
  }

  axes(pen) {
    const { width, height } = this.plot;
    const colours = this.colours;
    for (const [from, to] of this.data.spans || []) {
      const left = Math.max(LEFT, this.x(from));
      const right = Math.min(LEFT + width, Math.max(this.x(to), this.x(from) + 2));
      if (right <= left) continue;
      pen.fillStyle = colours.span;
      pen.fillRect(left, TOP, right - left, height);
    }
    pen.font = `11px ${getComputedStyle(this.element).fontFamily}`;
    pen.textBaseline = "middle";
    pen.textAlign = "right";
    for (const [value, text] of this.data.ticks?.filter(([value]) => this.data.scale(value) <= this.range.high) || niceSteps(this.range.high).map((step) => [step, compact(step)])) {
      const y = Math.round(this.y(value)) + 0.5;
      pen.strokeStyle = colours.grid;
      pen.beginPath();
      pen.moveTo(LEFT, y);
      pen.lineTo(LEFT + width, y);
      pen.stroke();
      pen.fillStyle = colours.muted;
      pen.fillText(text, LEFT - 6, y);
    }
    pen.textBaseline = "alphabetic";
    pen.textAlign = "center";
    pen.fillStyle = colours.muted;
    for (const [at, text] of timeSteps(this.data.from, this.data.to, width)) {
      const x = this.x(at);
      if (x > LEFT + 16 && x < LEFT + width - 12) pen.fillText(text, x, TOP + height + 14);
    }
  }

  mark(pen) {
    if (this.at < 0) return;
    const x = Math.round(this.x(this.data.t[this.at] + this.data.width / 2)) + 0.5;
    pen.strokeStyle = this.colours.ink;
    pen.beginPath();
    pen.moveTo(x, TOP);
    pen.lineTo(x, TOP + this.plot.height);
    pen.stroke();
  }

  move(event) {
    const box = this.element.getBoundingClientRect();
    const x = event.clientX - box.left;
    if (this.dragged !== undefined) {
      this.brush.hidden = Math.abs(x - this.dragged) < 4;
      this.brush.style.left = `${Math.min(x, this.dragged)}px`;
      this.brush.style.width = `${Math.abs(x - this.dragged)}px`;
    }
    this.point(this.highest(this.nearest(this.time(x - 1)), this.nearest(this.time(x + 1))), true);
  }

  press(event) {
    if (event.pointerType === "touch" || event.button) return;
    this.dragged = event.clientX - this.element.getBoundingClientRect().left;
    this.element.setPointerCapture(event.pointerId);
  }

  release(event) {
    const from = this.dragged;
    this.dragged = undefined;
    this.brush.hidden = true;
    if (from === undefined) return;
    const x = event.clientX - this.element.getBoundingClientRect().left;
    if (Math.abs(x - from) > 6) this.zoom(this.time(Math.min(x, from)), this.time(Math.max(x, from)));
  }

  key(event) {
    const last = this.data.t.length - 1;
    const step = event.shiftKey ? Math.max(10, Math.round(last / 20)) : 1;
    const at = this.at < 0 ? last : this.at;
    const centre = this.data.t[Math.max(0, at)] ?? (this.data.from + this.data.to) / 2;
    const span = this.data.to - this.data.from;
    const moves = { ArrowLeft: at - step, ArrowRight: at + step, ArrowDown: at - step, ArrowUp: at + step, Home: 0, End: last };
    if (event.key in moves) this.point(Math.min(last, Math.max(0, moves[event.key])), true);
    else if (event.key === "+" || event.key === "=") this.zoom(centre - span / 4, centre + span / 4);
    else if (event.key === "-") this.zoom(this.data.from - span / 2, this.data.to + span / 2);
    else if (event.key === "0") this.data.zoom?.(null, null);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  zoom(from, to) {
    if (to - from >= 60_000) this.data.zoom?.(Math.round(from), Math.round(to));
  }

  time(x) {
    return this.data.from + ((x - LEFT) / this.plot.width) * (this.data.to - this.data.from);
  }

  nearest(at) {
    const { t, width } = this.data;
    let low = 0;
    let high = t.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (t[middle] + width < at) low = middle + 1;
      else high = middle;
    }
    if (low > 0 && Math.abs(t[low - 1] + width / 2 - at) < Math.abs(t[low] + width / 2 - at)) low -= 1;
    return t.length ? low : -1;
  }

  // Of the points that share a few pixels the one that stands out, so that the mouse finds every peak that it sees.
  highest(from, to) {
    const { values } = this.data.layers[0];
    let found = from;
    for (let i = from + 1; i <= to; i += 1) if (values[i] > values[found]) found = i;
    return found;
  }

  // Show the values at a point, here and, at the same time, in the charts beside.
  point(index, tell) {
    if (index === this.at) return;
    this.at = index;
    this.draw();
    this.say();
    this.tip.hidden = index < 0;
    if (index >= 0) {
      this.tip.replaceChildren(...this.text(index).map((line) => h("span", null, line)));
      const x = this.x(this.data.t[index] + this.data.width / 2);
      const left = x > this.element.clientWidth / 2 ? x - this.tip.offsetWidth - 10 : x + 10;
      this.tip.style.left = `${Math.max(0, left)}px`;
    }
    if (!tell || !this.data.cursor) return;
    for (const other of this.data.cursor) {
      if (!other.element.isConnected) this.data.cursor.delete(other);
      else if (other !== this) other.point(index < 0 ? -1 : other.nearest(this.data.t[index] + this.data.width / 2), false);
    }
  }

  text(index) {
    return [time(this.data.t[index], !this.data.width), ...this.data.told(index)];
  }

  say() {
    const at = this.at < 0 ? this.data.t.length - 1 : this.at;
    this.element.setAttribute("aria-valuenow", String(Math.max(0, at)));
    this.element.setAttribute("aria-valuetext", at < 0 ? "no points" : this.text(at).join(", "));
  }
}
