"use strict";

/** Small SVG charts: a stacked histogram and a trend line. */
const charts = (() => {
  const NS = "http://www.w3.org/2000/svg";
  const WIDTH = 480;
  const HEIGHT = 200;
  const PAD = { left: 34, right: 8, top: 18, bottom: 22 };

  function make(name, attributes, text) {
    const node = document.createElementNS(NS, name);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    if (text !== undefined) node.textContent = text;
    return node;
  }

  function frame(holder, label) {
    const svg = make("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": label });
    const y = HEIGHT - PAD.bottom;
    svg.append(make("line", { class: "axis", x1: PAD.left, x2: WIDTH - PAD.right, y1: y, y2: y }));
    holder.replaceChildren(svg);
    return svg;
  }

  /** Heights are on a square-root scale: the few odd tokens must stay visible. */
  function histogram(holder, buckets) {
    const svg = frame(holder, "Tokens by score");
    const most = Math.max(1, ...buckets.map((b) => b.tokens));
    const space = HEIGHT - PAD.top - PAD.bottom;
    const step = (WIDTH - PAD.left - PAD.right) / buckets.length;
    buckets.forEach((bucket, i) => {
      const x = PAD.left + i * step;
      const total = Math.sqrt(bucket.tokens / most) * space;
      const parts = {
        anomalous: bucket.anomalous,
        suspicious: bucket.suspicious,
        normal: bucket.tokens - bucket.anomalous - bucket.suspicious,
      };
      let y = HEIGHT - PAD.bottom;
      for (const [label, count] of Object.entries(parts)) {
        if (!count) continue;
        const height = (total * count) / bucket.tokens;
        y -= height;
        const bar = make("rect", { class: label, x: x + 2, y, width: step - 4, height, rx: 2 });
        bar.append(make("title", {}, `${count} ${label}`));
        svg.append(bar);
      }
      if (bucket.tokens) {
        svg.append(make("text", { x: x + step / 2, y: y - 3, "text-anchor": "middle" }, bucket.tokens));
      }
      svg.append(make("text", { x, y: HEIGHT - 6, "text-anchor": "middle" }, bucket.from.toFixed(1)));
    });
  }

  function trend(holder, points) {
    const svg = frame(holder, "Score over time");
    const space = HEIGHT - PAD.top - PAD.bottom;
    const toY = (score) => HEIGHT - PAD.bottom - score * space;
    for (const mark of [0, 0.5, 1]) {
      svg.append(make("text", { x: PAD.left - 6, y: toY(mark) + 4, "text-anchor": "end" }, mark.toFixed(1)));
    }
    const step = (WIDTH - PAD.left - PAD.right) / Math.max(1, points.length - 1);
    const at = points.map((p, i) => [PAD.left + i * step, toY(p.score)]);
    svg.append(make("polyline", { class: "line", points: at.map((xy) => xy.join(",")).join(" ") }));
    points.forEach((point, i) => {
      const dot = make("circle", { class: point.label, cx: at[i][0], cy: at[i][1], r: 3 });
      dot.append(make("title", {}, `${point.computed_at}: ${point.score}`));
      svg.append(dot);
    });
  }

  return { histogram, trend };
})();
