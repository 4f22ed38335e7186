"use strict";
// What is chosen, and what follows from it.
const byId = (id) => document.getElementById(id);
const LARGEST = "largest", ALL = "all";

function name(row) {
  const button = element("button", { type: "button", className: "name", textContent: row.label, title: shortened(row.label, 300) });
  button.addEventListener("click", (event) => { event.stopPropagation(); openConcept(row.number); });
  return button;
}

function flagged(value, yes = "yes") {
  return element("span", { className: value ? "yes" : "no", textContent: value ? yes : "no" });
}

function used(row) {
  if (!row.used) return element("span", { className: "no", textContent: "no" });
  const mark = row.called_with_permuted_weights ? " *" : "";
  return element("span", { className: row.direction === "-" ? "down" : "up", textContent: (row.direction === "-" ? "▼ lowers" : "▲ raises") + mark });
}

function withInterval(row, key, show = number) {
  const made = element("span", {}, show(row[key]));
  if (isNumber(row[`${key}_low`])) made.append(element("br"), element("span", { className: "small", textContent: `${number(row[`${key}_low`])} to ${number(row[`${key}_high`])}` }));
  return made;
}

function verdictColumns() {
  const cell = (key, digits) => ({ cell: (row) => fixed(row[key], digits) });
  return [
    { key: "label", title: "Concept", kind: "text", cell: name, head: true, export: [["concept", (r) => CONCEPTS[r.number].concept], ["label", (r) => r.label]] },
    { key: "logo", title: "Logo", kind: "text", cell: (row) => logo(row.number), value: () => null, minor: true, export: [] },
    { key: "variant", title: "Variant", kind: "text", minor: true },
    { key: "encoded", title: "Encoded", kind: "flag", cell: (row) => flagged(row.encoded), value: (row) => (row.encoded ? "yes" : "no"), filter: true },
    { key: "used", title: "Used", kind: "flag", cell: used, value: (row) => (row.used ? (row.direction === "-" ? "lowers" : "raises") : "no"), filter: true },
    { key: "effect", title: "Effect", kind: "number", help: "first-order change of the output when the concept is put in, with a 95 % interval",
      cell: (row) => withInterval(row, "effect", signed),
      export: [["effect", (r) => r.effect], ["effect_low", (r) => r.effect_low], ["effect_high", (r) => r.effect_high]] },
    { key: "effect_q", title: "q", kind: "number", help: "q-value of the effect against the nulls that decide",
      cell: (row) => element("span", {}, fixed(row.effect_q), element("br"), element("span", { className: "small", textContent: row.null ?? "" })) },
    { key: "auroc", title: "AUROC", kind: "number", minor: true, ...cell("auroc") },
    { key: "auroc_q", title: "q (AUROC)", kind: "number", minor: true, ...cell("auroc_q") },
    { key: "planting_effect", title: "Planting effect", kind: "number", minor: true, help: "what planting the motif does to the output, measured directly", cell: (row) => signed(row.planting_effect) },
    { key: "effect_permuted", title: "Effect permuted", kind: "number", minor: true, help: "mean effect of the same motif with its columns permuted: what is left without their order", cell: (row) => signed(row.effect_permuted) },
    { key: "log_ratio", title: "Log ratio", kind: "number", minor: true, help: "the published score; saturated where most nulls are as extreme", cell: (row) => element("span", {}, number(row.log_ratio), ...(row.saturated ? [element("br"), element("span", { className: "small", textContent: "saturated" })] : [])),
      export: [["log_ratio", (r) => r.log_ratio], ["saturated", (r) => r.saturated]] },
    { key: "null", title: "Null", kind: "text", hidden: true, filter: true },
  ];
}

const place = () => CONTENT.places[Number(byId("place").value) || 0];

function chosenRows() {
  const here = place(), variant = byId("variant").value;
  if (!here) return [];
  if (variant === ALL) return here.rows;
  if (variant !== LARGEST) return here.rows.filter((row) => row.variant === variant);
  const best = new Map();
  for (const row of here.rows) {
    const old = best.get(row.number);
    if (!old || Math.abs(row.effect ?? 0) > Math.abs(old.effect ?? 0)) best.set(row.number, row);
  }
  return [...best.values()].sort((a, b) => Math.abs(b.effect ?? 0) - Math.abs(a.effect ?? 0));
}

// charts are drawn when they come near the window
const drawers = new Map(), drawn = new Set();
const near = new IntersectionObserver((entries) => entries.forEach((entry) => { if (entry.isIntersecting) drawNow(entry.target); }), { rootMargin: "500px" });
function drawNow(host) { near.unobserve(host); drawn.add(host); drawers.get(host)(); }
function chart(id, draw) { const host = byId(id); if (host) { drawers.set(host, () => draw(host)); near.observe(host); } }
function redraw(...ids) { for (const host of drawn) if (!ids.length || ids.includes(host.id)) drawers.get(host)(); }

function mostFrequent(rows) {
  const counts = new Map();
  for (const row of rows) counts.set(row.variant, (counts.get(row.variant) || 0) + 1);
  return [...counts].sort((a, b) => b[1] - a[1])[0]?.[0];
}
function nullVariant() {
  const variant = byId("variant").value;
  return variant === LARGEST || variant === ALL ? mostFrequent(chosenRows()) : variant;
}

const verdicts = new DataTable(byId("table-verdicts"), verdictColumns(), { file: "summary/verdicts.tsv", name: "verdicts", onRow: (row) => openConcept(row.number), page: 50, caption: "Verdicts" });

function placeChanged() {
  const here = place(), kept = byId("variant").value;
  const variants = [...new Set((here?.rows || []).map((row) => row.variant))].sort((a, b) => a.localeCompare(b, undefined, { numeric: true }));
  fill(byId("variant"), [[LARGEST, "each at its largest effect"], [ALL, "all"], ...variants.map((v) => [v, v])]);
  byId("variant").value = [ALL, ...variants].includes(kept) ? kept : LARGEST;
  byId("words").textContent = here ? here.words : "There is no result: no concept was scored on any target.";
  variantChanged();
}
function variantChanged() {
  verdicts.setRows(chosenRows());
  redraw("chart-verdict", "chart-null-effect", "chart-null-auroc");
}

function find() {
  const wanted = byId("find").value.trim().toLowerCase();
  if (!wanted) return;
  const texts = CONCEPTS.map((one) => [String(one.label).toLowerCase(), String(one.concept).toLowerCase()]);
  let id = texts.findIndex((pair) => pair.includes(wanted));
  if (id < 0) id = texts.findIndex((pair) => pair.some((text) => text.includes(wanted)));
  if (id >= 0) openConcept(id);
}

const said = (value) => (typeof value === "boolean" ? (value ? "yes" : "no") : String(value));
const FILTERED = new Set(["model", "layer", "target", "method", "variant", "null", "check", "verdict", "inseparable", "source"]);
function generic(host) {
  const table = CONTENT.tables[host.dataset.table], columns = decoded(table.columns);
  const rows = rowsOf(columns);
  rows.forEach((row) => { row.number = NUMBERS.get(row.concept); });
  const values = (key) => columns[key].filter((value) => value !== null);
  const same = table.names.filter((key) => rows.length > 1 && FILTERED.has(key) && new Set(columns[key]).size === 1 && values(key).length);
  const inner = (key) => /_(low|high)$/.test(key) && key.replace(/_(low|high)$/, "") in columns;
  const shown = table.names.filter((key) => !(key === "concept" && "label" in columns) && !same.includes(key) && !inner(key));
  const made = shown.map((key, i) => {
    const kind = values(key).length && values(key).every(isNumber) ? "number" : "text";
    const column = { key, title: key.replace(/_/g, " "), kind, filter: FILTERED.has(key), minor: i > 4 && kind === "number" };
    if (`${key}_low` in columns) Object.assign(column, { cell: (row) => withInterval(row, key), export: [key, `${key}_low`, `${key}_high`].map((one) => [one, (row) => row[one]]) });
    if (/^concept_[12]$/.test(key)) column.cell = (row) => { const id = NUMBERS.get(row[key]); return id === undefined ? row[key] : name({ number: id, label: CONCEPTS[id].label }); };
    if (key === "label") Object.assign(column, { head: true, cell: (row) => (row.number === undefined ? row.label : name(row)), export: [["concept", (r) => r.concept], ["label", (r) => r.label]] });
    return column;
  });
  if (same.length) host.before(element("p", { className: "muted", textContent: `The same in all rows: ${same.map((key) => `${key} ${said(columns[key][0])}`).join(", ")}.` }));
  same.forEach((key) => made.push({ key, title: key, kind: "text", hidden: true }));
  const data = new DataTable(host, made, { file: `summary/${table.name}.tsv`, name: table.name, total: table.total, page: 25, caption: `Table of ${table.name.replace(/_/g, " ")}` });
  data.setRows(rows);
  return rows;
}

function facts(host, rows, name) {
  const keys = Object.keys(rows[0] || { nothing: "" });
  const columns = keys.map((key, i) => ({ key, title: key, kind: rows.some((row) => isNumber(row[key])) ? "number" : "text", head: i === 0, minor: i > 3 }));
  new DataTable(host, columns, { name, caption: name, page: 60 }).setRows(rows);
}

function sensitivity() {
  const select = byId("sensitivity-place");
  if (!select) return;
  const points = rowsOf(decoded(CONTENT.tables.motif_points.columns)), areas = CONTENT.tables.motif_sensitivity ? rowsOf(decoded(CONTENT.tables.motif_sensitivity.columns)) : [];
  areas.forEach((row) => { row.number = NUMBERS.get(row.concept); });
  const found = [...new Map(points.map((row) => [`${row.model} · ${row.layer}`, row])).entries()];
  fill(select, found.map(([text], i) => [i, text]));
  const here = (rows) => { const chosen = found[Number(select.value) || 0]; return chosen ? rows.filter((row) => row.model === chosen[1].model && row.layer === chosen[1].layer) : []; };
  const order = () => {
    const own = here(points), area = new Map(here(areas).map((row) => [row.concept, row.sensitivity ?? row.f1_auc ?? 0]));
    return [...new Set(own.map((row) => row.concept))].sort((a, b) => (area.get(b) ?? 0) - (area.get(a) ?? 0));
  };
  const words = () => { const n = order().length; byId("sensitivity-words").textContent = n > 24 ? `The 24 motifs of the largest sensitivity of ${n} are drawn (8 on a phone); the table and its file have all.` : n ? "" : "No motif was planted in several numbers."; };
  chart("chart-points", (host) => drawPoints(host, here(points), order()));
  chart("chart-regression", (host) => drawRegression(host, here(areas)));
  select.addEventListener("change", () => { words(); redraw("chart-points", "chart-regression"); });
  words();
}

function similarity() {
  const select = byId("similarity-place");
  if (!select) return;
  fill(select, CONTENT.similarity.map((one, i) => [i, `${one.model} · ${one.layer}`]));
  const here = () => CONTENT.similarity[Number(select.value) || 0];
  const words = () => { byId("similarity-words").textContent = here().concepts.length < here().total ? `Of ${here().total} concepts the ${here().concepts.length} of the largest effects are drawn, each at its last variant.` : `${here().total} concepts, each at its last variant.`; };
  chart("chart-similarity", (host) => drawSimilarity(host, here()));
  select.addEventListener("change", () => { words(); redraw("chart-similarity"); });
  words();
}

function themed(theme) {
  document.documentElement.dataset.theme = theme;
  redraw();
  if (opened !== null) openConcept(opened);
}
const dark = window.matchMedia("(prefers-color-scheme: dark)");
const remembered = () => { try { return localStorage.getItem("tpcav-theme"); } catch (error) { return null; } };
const current = () => remembered() || (dark.matches ? "dark" : "light");
document.documentElement.dataset.theme = current();
byId("theme").addEventListener("click", () => {
  const next = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
  try { localStorage.setItem("tpcav-theme", next); } catch (error) { /* private mode */ }
  themed(next);
});
dark.addEventListener("change", () => { if (!remembered()) themed(current()); });
window.addEventListener("beforeprint", () => { [...drawers.keys()].forEach((host) => drawn.add(host)); document.querySelectorAll("details.more").forEach((one) => { one.open = true; }); themed("light"); });
window.addEventListener("afterprint", () => themed(current()));
const narrow = window.matchMedia("(max-width: 760px)");
narrow.addEventListener("change", () => redraw());
// labels have room for a width
let resized = 0;
window.addEventListener("resize", () => { clearTimeout(resized); resized = setTimeout(() => redraw("chart-verdict", "chart-regression"), 200); });

fill(byId("place"), CONTENT.places.map((one, i) => [i, one.name]));
// the first place with the most concepts is shown first
const most = CONTENT.places.map((one) => one.rows.length);
if (most.length) byId("place").value = String(most.indexOf(Math.max(...most)));
byId("labels").append(...CONCEPTS.map((one) => element("option", { value: one.label })));
byId("place").addEventListener("change", placeChanged);
byId("variant").addEventListener("change", variantChanged);
// a choice from the list; Enter would otherwise press the button that the details put the focus on
byId("find").addEventListener("input", (event) => { if (event.inputType === "insertReplacementText") find(); });
byId("find").addEventListener("keydown", (event) => { if (event.key === "Enter") { event.preventDefault(); find(); } });
placeChanged();
chart("chart-verdict", (host) => (place() ? drawVerdict(host, place(), chosenRows()) : plot(host, [], {})));
chart("chart-null-effect", (host) => (place() ? drawNulls(host, place(), chosenRows(), "effect", nullVariant()) : plot(host, [], {})));
chart("chart-null-auroc", (host) => (place() ? drawNulls(host, place(), chosenRows(), "auroc", nullVariant()) : plot(host, [], {})));
sensitivity();
similarity();
sites();
chart("chart-variance", drawVariance);
chart("chart-compared", (host) => drawCompared(host, CONTENT.places));
document.querySelectorAll("[data-table]").forEach(generic);
facts(byId("table-costs"), CONTENT.costs, "steps");
facts(byId("table-files"), CONTENT.files, "input files");
document.documentElement.dataset.ready = "yes";
