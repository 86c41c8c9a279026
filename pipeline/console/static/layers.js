// What a chart draws of its points, by column of pixels.

export const LEFT = 46;
export const RIGHT = 8;
export const TOP = 8;
export const BOTTOM = 20;

export function bars(pen, chart, layer, { most, other }) {
  const wide = chart.x(chart.data.from + chart.data.width) - LEFT;
  const bottom = TOP + chart.plot.height;
  const bar = (x, across, value, usual) => {
    const top = chart.y(value);
    const line = usual > -Infinity ? Math.max(top, chart.y(usual)) : top;
    pen.fillStyle = chart.colours.data;
    pen.fillRect(x, line, across, bottom - line);
    if (line > top) {
      pen.fillStyle = chart.colours.beyond;
      pen.fillRect(x, top, across, line - top);
    }
  };
  if (wide >= 2) {
    for (let i = 0; i < chart.data.t.length; i += 1) {
      const x = chart.x(chart.data.t[i]);
      if (x + wide < LEFT || x > LEFT + chart.plot.width) continue;
      bar(x, Math.max(1, wide - 1), layer.values[i], layer.usual?.[i] ?? -Infinity);
    }
  } else {
    for (let column = 0; column < most.length; column += 1) {
      if (most[column] > -Infinity) bar(LEFT + column, 1, most[column], layer.usual ? other[column] : -Infinity);
    }
  }
}

export function band(pen, chart, layer, { least }) {
  // Its upper edge is the most of `usual`; the lower one the least of `values`.
  const upper = chart.decimated({ ...layer, values: layer.high }).most;
  pen.fillStyle = chart.colours.band;
  for (let column = 0; column < least.length; column += 1) {
    if (least[column] === Infinity || upper[column] === -Infinity) continue;
    const top = chart.y(upper[column]);
    const across = Math.max(1, Math.ceil(chart.x(chart.data.from + chart.data.width) - LEFT));
    pen.fillRect(LEFT + column, top, across, Math.max(1, chart.y(least[column]) - top));
  }
}

export function line(pen, chart, layer, { least, most }) {
  pen.strokeStyle = chart.colours[layer.colour || "data"];
  pen.lineWidth = 1.5;
  pen.beginPath();
  let begun = false;
  for (let column = 0; column < most.length; column += 1) {
    if (most[column] === -Infinity) continue;
    const x = LEFT + column + 0.5;
    if (begun) pen.lineTo(x, chart.y(most[column]));
    else pen.moveTo(x, chart.y(most[column]));
    pen.lineTo(x, chart.y(least[column]));
    begun = true;
  }
  pen.stroke();
  pen.lineWidth = 1;
}

export function dots(pen, chart, layer, { least, most }) {
  for (let column = 0; column < most.length; column += 1) {
    if (most[column] === -Infinity) continue;
    const x = LEFT + column;
    const top = chart.y(most[column]);
    pen.fillStyle = chart.colours.faint;
    pen.fillRect(x, top, 1, Math.max(1, chart.y(least[column]) - top));
    const high = most[column] >= layer.above;
    pen.fillStyle = high ? chart.colours.beyond : chart.colours.data;
    pen.beginPath();
    pen.arc(x + 0.5, top, high ? 2.5 : 1.25, 0, 7);
    pen.fill();
  }
}
