"use strict";
// The details of one concept: all its models, layers, targets and variants, and its own nulls.
const dialog = document.getElementById("details");
let opened = null;

function detailRows(id) {
  return CONTENT.places.flatMap((place) => place.rows.filter((row) => row.number === id).map((row) => ({ ...row, place })));
}

function openConcept(id) {
  opened = id;
  const concept = CONCEPTS[id], rows = detailRows(id);
  document.getElementById("details-h").textContent = concept.label;
  const facts = [["Id", concept.concept], ["Source", concept.source], ["Set", concept.set], ["Control", concept.control], ["Length", isNumber(concept.motif_length) ? `${concept.motif_length} bp` : null],
    ["Information content", isNumber(concept.information_content) ? `${number(concept.information_content)} bits` : null], ["Examples available", concept.available]];
  const list = element("dl", { className: "facts" }, ...facts.filter(([, value]) => value !== null && value !== undefined && value !== "").map(([name, value]) => element("div", {}, element("dt", { textContent: name }), element("dd", { textContent: value }))));
  const chart = element("div", { className: "chart" });
  chart.setAttribute("role", "group");
  chart.setAttribute("aria-label", "Effects with intervals in each place, and those of permutations of the motif; the table below has the same values");
  const host = element("div");
  document.getElementById("details-body").replaceChildren(logo(id, true), list, chart,
    element("p", { className: "muted", textContent: "Effects with 95 % intervals; grey: the same motif with its columns permuted." }), host, ...detailRegions(id));
  const table = new DataTable(host, [{ key: "place", title: "Model, layer, target", kind: "text", value: (row) => row.place.name, head: true }, ...verdictColumns().slice(2)], { name: "concept", caption: "All results of the concept" });
  table.setRows(rows);
  if (!dialog.open) dialog.showModal();
  drawDetails(chart, rows);
}

// of each place the regions that speak most for the concept
function detailRegions(id) {
  const found = CONTENT.sites.filter((site) => site.regions[id]);
  if (!found.length) return [];
  const parts = found.map((site) => element("details", { className: "more", open: site === found[0] }, element("summary", { textContent: `${site.model} · ${site.layer} · ${site.target}` }), ...regionsOf(site, id)));
  return [element("h3", { textContent: "Target regions that speak for it" }), ...parts];
}

function drawDetails(chart, rows) {
  const several = new Set(rows.map((row) => row.place.name)).size > 1;
  chart.style.height = `${Math.max(170, 26 * rows.length + 80)}px`;
  const names = rows.map((row) => `${several ? `${plain(row.place.layer, 18)} · ${plain(row.place.target, 14)} · ` : ""}${plain(row.variant, 14)}`);
  const nulls = rows.flatMap((row, i) => (row.place.own_nulls[`${row.number}|${row.variant}`] || []).map((effect) => [effect, i]));
  const effect = rows.map((row) => row.effect);
  plot(chart, [
    { type: "scatter", mode: "markers", x: nulls.map(([x]) => x), y: nulls.map(([, y]) => y), marker: { color: css("--null"), size: 6, opacity: 0.6 }, hovertemplate: "permuted: %{x:.3g}<extra></extra>" },
    { type: "scatter", mode: "markers", x: effect, y: rows.map((_, i) => i), hovertext: rows.map(hover), hoverinfo: "text",
      error_x: { type: "data", symmetric: false, array: rows.map((r, i) => r.effect_high - effect[i]), arrayminus: rows.map((r, i) => effect[i] - r.effect_low), color: css("--muted"), thickness: 1.4 },
      marker: { size: 11, color: rows.map((row) => css(groupOf(row)[1])), symbol: rows.map((row) => groupOf(row)[2]) } },
  ], { yaxis: { tickvals: rows.map((_, i) => i), ticktext: names, autorange: "reversed" }, xaxis: { title: { text: "effect, units of the output" }, zerolinewidth: 2 } });
}

document.getElementById("details-close").addEventListener("click", () => dialog.close());
dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
dialog.addEventListener("close", () => { opened = null; });
