"use strict";
// Charts, drawn by Plotly when they come near the window, again when the theme changes.
const GROUPS = [
  ["encoded and used, raises the output", "--up", "triangle-up"],
  ["encoded and used, lowers the output", "--down", "triangle-down"],
  ["used, not seen as encoded", "--odd", "diamond"],
  ["encoded, not seen as used", "--encoded", "square"],
  ["neither", "--muted", "circle-open"],
];
const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const groupOf = (row) => GROUPS.find(([name]) => String(row.verdict).startsWith(name)) || GROUPS[4];
const phone = () => window.matchMedia("(max-width: 760px)").matches;

function layout(extra = {}) {
  const axis = { gridcolor: css("--grid"), zerolinecolor: css("--line"), linecolor: css("--line"), automargin: true };
  const { xaxis, yaxis, ...rest } = extra;
  return {
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: "system-ui, sans-serif", size: 13, color: css("--ink") },
    margin: { l: 60, r: 16, t: 16, b: 54 }, hovermode: "closest", showlegend: false,
    hoverlabel: { bgcolor: css("--panel"), bordercolor: css("--line"), font: { color: css("--ink") }, align: "left" },
    xaxis: { ...axis, ...xaxis }, yaxis: { ...axis, ...yaxis }, ...rest,
  };
}

function plot(host, traces, options, click) {
  if (!traces.length) {
    if (host.data) Plotly.purge(host);
    host.replaceChildren(element("div", { className: "nothing", textContent: "There is nothing to draw here." }));
    return;
  }
  if (!host.data) host.replaceChildren();
  const config = { displaylogo: false, responsive: true, displayModeBar: phone() ? false : "hover", modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d"], toImageButtonOptions: { format: "svg", filename: host.id } };
  Plotly.react(host, traces, layout(options), config).then(() => {
    host.removeAllListeners("plotly_click");
    if (click) host.on("plotly_click", (event) => { const id = event.points[0].customdata; if (isNumber(id)) click(id); });
  });
}

function hover(row) {
  const lines = [`<b>${plain(row.label, 60)}</b>`, `variant ${plain(row.variant)}, ${plain(row.verdict)}`,
    `AUROC ${fixed(row.auroc)} (q ${fixed(row.auroc_q)})`,
    `effect ${signed(row.effect)} (${number(row.effect_low)} to ${number(row.effect_high)}, q ${fixed(row.effect_q)})`];
  if (isNumber(row.planting_effect)) lines.push(`planting effect ${signed(row.planting_effect)}`);
  return lines.join("<br>");
}

// Which rows have a label, at which side of their point: none lies on another label, on a point of `all`
// or outside the axes. `drawn` are the values that span them, `size` is that of the letters in pixels. Points
// of nulls may lie below labels.
function labelled(host, rows, all, [x, y], drawn, most, size, length) {
  const width = (host.clientWidth || 900) - 76, height = (host.clientHeight || 420) - 98;
  const inside = (key, pixels) => {
    let low = Infinity, high = -Infinity;
    for (const value of drawn[key]) if (isNumber(value)) { low = Math.min(low, value); high = Math.max(high, value); }
    // Plotly leaves a twentieth of the span free at each end
    const scale = pixels / (1.1 * (high - low) || 1);
    return (value) => (value - low) * scale + pixels / 22;
  };
  const across = inside(x, width), up = inside(y, height), drawable = (row) => isNumber(row[x]) && isNumber(row[y]);
  const box = (px, py, w, h) => [px - w / 2, px + w / 2, py - h / 2, py + h / 2];
  const meet = (one, other) => one[0] < other[1] && other[0] < one[1] && one[2] < other[3] && other[2] < one[3];
  const points = all.filter(drawable).map((row) => [row, box(across(row[x]), up(row[y]), 10, 10)]), taken = [], found = new Map();
  for (const row of rows.filter(drawable)) {
    if (found.size >= most) break;
    const px = across(row[x]), py = up(row[y]), w = 0.62 * size * Math.min(String(row.label).length, length) + 4, h = 1.3 * size;
    const sides = { "middle left": box(px - 8 - w / 2, py, w, h), "middle right": box(px + 8 + w / 2, py, w, h), "top center": box(px, py + 8 + h / 2, w, h), "bottom center": box(px, py - 8 - h / 2, w, h) };
    const order = px > width / 2 ? ["middle left", "top center", "bottom center", "middle right"] : ["middle right", "top center", "bottom center", "middle left"];
    const free = (one) => one[0] >= 0 && one[1] <= width && !taken.some((other) => meet(other, one)) && !points.some(([of, other]) => of !== row && meet(other, one));
    const side = order.find((name) => free(sides[name]));
    if (side) { found.set(row, side); taken.push(sides[side]); }
  }
  return found;
}

function drawVerdict(host, place, rows) {
  const traces = Object.entries(place.cloud).map(([kind, values]) => ({
    type: "scatter", mode: "markers", x: values.auroc, y: values.effect, name: `null: ${kind}`, hoverinfo: "skip",
    marker: { size: 4, color: css("--null"), opacity: 0.35, symbol: kind === "random" ? "x-thin-open" : "circle" },
  }));
  const bySize = [...rows].sort((a, b) => Math.abs(b.effect) - Math.abs(a.effect)), called = bySize.filter((row) => row.used || row.encoded);
  const spanned = [rows, ...Object.values(place.cloud)].reduce((all, one) => ({ auroc: all.auroc.concat(one.auroc ?? one.map((r) => r.auroc)), effect: all.effect.concat(one.effect ?? one.map((r) => r.effect)) }), { auroc: [], effect: [] });
  const named = labelled(host, called.length ? called : bySize, rows, ["auroc", "effect"], spanned, phone() ? 4 : 9, 11, 22), many = rows.length > 150;
  for (const group of GROUPS) {
    const own = rows.filter((row) => groupOf(row) === group && isNumber(row.auroc) && isNumber(row.effect));
    if (!own.length) continue;
    traces.push({
      type: "scatter", mode: "markers+text", name: group[0], x: own.map((r) => r.auroc), y: own.map((r) => r.effect),
      customdata: own.map((r) => r.number), hovertext: own.map(hover), hoverinfo: "text",
      text: own.map((r) => (named.has(r) ? plain(r.label, 22) : "")), textposition: own.map((r) => named.get(r) ?? "middle left"), textfont: { size: 11, color: css("--muted") },
      marker: { size: many ? 7.5 : 10, opacity: many && group === GROUPS[4] ? 0.45 : 1, color: css(group[1]), symbol: group[2], line: { width: 1.2, color: css(group[1]) } }, cliponaxis: false,
    });
  }
  plot(host, rows.length ? traces : [], {
    showlegend: true, legend: { orientation: "h", y: phone() ? -0.2 : 1.08, yanchor: phone() ? "top" : "bottom", x: 0, font: { size: 11.5 }, itemsizing: "constant" },
    margin: { l: 60, r: 20, t: phone() ? 14 : 44, b: 54 },
    xaxis: { title: { text: "encoded: AUROC" }, zeroline: false }, yaxis: { title: { text: "used: effect, units of the output" } },
  }, openConcept);
}

function drawNulls(host, place, rows, statistic, variant) {
  const styles = { permuted: "--accent", random: "--null" };
  const wanted = place.histograms.filter((one) => one.statistic === statistic && (one.kind === "random" || one.variant === variant));
  const traces = wanted.map((one) => {
    const n = one.counts.length, step = (one.high - one.low) / n, total = one.counts.reduce((a, b) => a + b, 0);
    return { type: "bar", name: one.kind === "random" ? "random sets" : "permuted motifs", x: one.counts.map((_, i) => one.low + (i + 0.5) * step), width: step || 0.01,
      y: one.counts.map((count) => count / total), marker: { color: css(styles[one.kind]), opacity: 0.5 }, hovertemplate: "%{x:.3g}: %{y:.1%} of nulls<extra></extra>" };
  });
  const highest = Math.max(0.05, ...traces.flatMap((trace) => trace.y));
  const shown = rows.filter((row) => isNumber(row[statistic]));
  if (shown.length) traces.push({
    type: "scatter", mode: "markers", name: "concepts", x: shown.map((r) => r[statistic]), y: shown.map(() => -0.06 * highest),
    customdata: shown.map((r) => r.number), hovertext: shown.map(hover), hoverinfo: "text",
    marker: { symbol: "line-ns-open", size: 13, line: { width: 1.8 }, color: shown.map((r) => css(groupOf(r)[1])) } });
  plot(host, traces, { barmode: "overlay", showlegend: true, legend: { orientation: "h", y: 1.14, x: 0, font: { size: 11.5 } }, margin: { l: 56, r: 16, t: 34, b: 52 },
    xaxis: { title: { text: statistic === "effect" ? "effect" : "AUROC" } }, yaxis: { title: { text: "share of nulls" }, tickformat: ".0%", rangemode: "normal", zeroline: true } }, openConcept);
}

function drawPoints(host, points, order) {
  const shown = order.slice(0, phone() ? 8 : 24), across = phone() ? 2 : Math.min(6, Math.max(1, shown.length));
  const down = Math.ceil(shown.length / across) || 1, extra = {}, traces = [], notes = [];
  host.style.height = `${Math.max(220, 150 * down + 60)}px`;
  shown.forEach((concept, i) => {
    const own = points.filter((row) => row.concept === concept).sort((a, b) => a.copies - b.copies);
    const [column, row] = [i % across, Math.floor(i / across)], end = i ? i + 1 : "";
    const width = 1 / across, height = 1 / down, gap = 0.28 * height;
    const x0 = column * width + 0.012, x1 = (column + 1) * width - 0.012, y1 = 1 - row * height - gap, y0 = 1 - (row + 1) * height + 0.1 * height;
    extra[`xaxis${end}`] = { domain: [x0, x1], anchor: `y${end}`, gridcolor: css("--grid"), linecolor: css("--line"), tickfont: { size: 10 }, fixedrange: true, tickvals: own.map((r) => r.copies), zeroline: false };
    extra[`yaxis${end}`] = { domain: [y0, y1], anchor: `x${end}`, gridcolor: css("--grid"), range: [0, 1.03], tickvals: [0, 0.5, 1], tickfont: { size: 10 }, showticklabels: column === 0, fixedrange: true, zeroline: false };
    notes.push({ text: plain(own[0].label, phone() ? 20 : 24), x: x0, y: y1 + 0.005, xref: "paper", yref: "paper", xanchor: "left", yanchor: "bottom", showarrow: false, font: { size: 11 } });
    const f1 = own.map((r) => r.f1);
    traces.push({ type: "scatter", mode: "lines+markers", xaxis: `x${end}`, yaxis: `y${end}`, x: own.map((r) => r.copies), y: f1, line: { color: css("--accent"), width: 2 }, marker: { size: 6 },
      error_y: { type: "data", symmetric: false, array: own.map((r, k) => (r.f1_high ?? f1[k]) - f1[k]), arrayminus: own.map((r, k) => f1[k] - (r.f1_low ?? f1[k])), color: css("--muted"), thickness: 1, width: 2 },
      hovertext: own.map((r) => `<b>${plain(r.label, 60)}</b><br>${r.copies} copies: F1 ${fixed(r.f1)} (${fixed(r.f1_low)} to ${fixed(r.f1_high)})`), hoverinfo: "text" });
  });
  plot(host, traces, { ...extra, annotations: notes, margin: { l: 34, r: 6, t: 6, b: 24 } });
}

function drawRegression(host, rows) {
  const good = rows.filter((row) => isNumber(row.information_content_gc) && isNumber(row.f1_auc));
  if (!good.length) { plot(host, [], {}); return; }
  const x = good.map((r) => r.information_content_gc), ends = [Math.min(...x), Math.max(...x)];
  // one for motifs that were planted equally often
  const lines = [...new Map(good.filter((row) => isNumber(row.line_slope)).map((row) => [row.copies, row])).values()];
  const spanned = { information_content_gc: x, f1_auc: good.map((r) => r.f1_auc) };
  const named = labelled(host, [...good].sort((a, b) => Math.abs(b.sensitivity) - Math.abs(a.sensitivity)), good, ["information_content_gc", "f1_auc"], spanned, phone() ? 4 : 10, 10, 20);
  const traces = lines.map((line) => ({ type: "scatter", mode: "lines", x: ends, y: ends.map((v) => line.line_intercept + line.line_slope * v), line: { color: css("--muted"), dash: "dash" }, hoverinfo: "skip" }));
  traces.push({ type: "scatter", mode: "markers+text", cliponaxis: false, x, y: good.map((r) => r.f1_auc), customdata: good.map((r) => r.number),
    text: good.map((r) => (named.has(r) ? plain(r.label, 20) : "")), textposition: good.map((r) => named.get(r) ?? "middle left"), textfont: { size: 10, color: css("--muted") },
    hovertext: good.map((r) => `<b>${plain(r.label, 60)}</b><br>area under F1 ${fixed(r.f1_auc)}<br>sensitivity ${signed(r.sensitivity)} (${number(r.sensitivity_low)} to ${number(r.sensitivity_high)})`), hoverinfo: "text",
    marker: { size: 9, color: good.map((r) => css(r.sensitivity > 0 ? "--up" : "--down")), symbol: good.map((r) => (r.sensitivity > 0 ? "triangle-up" : "triangle-down")) } });
  plot(host, traces, { xaxis: { title: { text: "GC-weighted information content, bits" } }, yaxis: { title: { text: "area under F1" } } }, openConcept);
}

function ticks(labels, most) {
  const step = Math.max(1, Math.ceil(labels.length / most));
  const tickvals = labels.map((_, i) => i).filter((i) => i % step === 0);
  return { tickvals, ticktext: tickvals.map((i) => plain(labels[i], phone() ? 14 : 26)), tickfont: { size: phone() ? 9 : 10.5 }, showgrid: false, zeroline: false };
}

function drawSimilarity(host, matrix) {
  const n = matrix.concepts.length, bytes = Int8Array.from(atob(matrix.cosines), (c) => c.charCodeAt(0));
  const z = Array.from({ length: n }, (_, i) => Array.from(bytes.subarray(i * n, (i + 1) * n), (v) => (v === -128 ? null : v / 100)));
  const labels = matrix.concepts.map((id) => CONCEPTS[id].label);
  const names = labels.map((label, i) => `${plain(label, 50)} (${plain(matrix.variants[i], 12)})`);
  const text = z.map((row, i) => row.map((value, j) => `${names[i]}<br>${names[j]}<br>cosine ${value === null ? "–" : value.toFixed(2)}`));
  const most = phone() ? 20 : 45;
  plot(host, [{ type: "heatmap", z, hovertext: text, hoverinfo: "text", zmin: -1, zmax: 1, colorscale: [[0, css("--down")], [0.5, css("--panel")], [1, css("--up")]], colorbar: { thickness: 10, outlinewidth: 0, len: 0.6, title: { text: "cosine", font: { size: 11 } } } }],
    { margin: { l: 10, r: 10, t: 10, b: 10 }, xaxis: { ...ticks(labels, most), tickangle: 90, constrain: "domain" }, yaxis: { ...ticks(labels, most), autorange: "reversed", scaleanchor: "x", constrain: "domain" } });
}

function drawCompared(host, places) {
  const best = places.map((place) => { const found = new Map(); for (const row of place.rows) { const old = found.get(row.number); if (isNumber(row.effect) && (!old || Math.abs(row.effect) > Math.abs(old.effect))) found.set(row.number, row); } return found; });
  const top = best.map((found) => Math.max(1e-300, ...[...found.values()].map((row) => Math.abs(row.effect))));
  const size = new Map();
  best.forEach((found, k) => found.forEach((row, id) => size.set(id, Math.max(size.get(id) || 0, Math.abs(row.effect) / top[k]))));
  const ids = [...size.keys()].sort((a, b) => size.get(b) - size.get(a)).slice(0, 40);
  if (!ids.length) { plot(host, [], {}); return; }
  const cells = (make, none = null) => ids.map((id) => best.map((found, k) => (found.has(id) ? make(found.get(id), k) : none)));
  const label = (place) => [place.model, place.layer, place.target].map((part) => plain(part, phone() ? 12 : 18)).join("<br>");
  host.style.height = `${Math.max(240, 22 * ids.length + 120)}px`;
  plot(host, [{ type: "heatmap", z: cells((row, k) => row.effect / top[k]), customdata: ids.map((id) => best.map(() => id)), zmin: -1, zmax: 1, xgap: 2, ygap: 1, text: cells((row) => (row.used ? "●" : " "), " "), texttemplate: "%{text}", hovertext: cells((row, k) => `${plain(places[k].name, 80)}<br>${hover(row)}`), hoverinfo: "text",
    colorscale: [[0, css("--down")], [0.5, css("--panel")], [1, css("--up")]], colorbar: { thickness: 10, outlinewidth: 0, len: Math.min(1, 0.5 + 2 / ids.length), title: { text: "effect", font: { size: 11 } } } }],
  { margin: { l: 10, r: 10, t: 64, b: 10 }, xaxis: { tickvals: places.map((_, i) => i), ticktext: places.map(label), side: "top", showgrid: false, zeroline: false, tickfont: { size: 10.5 } }, yaxis: { ...ticks(ids.map((id) => CONCEPTS[id].label), 40), autorange: "reversed" } }, openConcept);
}
