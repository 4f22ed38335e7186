"use strict";
// Target regions of a concept, with the bases that speak for it.
const WIDE = 60;

function baseLogo(region) {
  const up = Math.max(0, ...region.heights), down = Math.max(0, ...region.heights.map((height) => -height));
  const width = region.heights.length * WIDE;
  const svg = shape("svg", { viewBox: `0 ${-up - 4} ${width} ${up + down + 8}`, preserveAspectRatio: "none", class: "logo bases", role: "img" });
  const tallest = region.heights.map((height, i) => [Math.abs(height), i]).sort((a, b) => b[0] - a[0]).slice(0, 12).map(([, i]) => i).sort((a, b) => a - b);
  svg.setAttribute("aria-label", `Contributions of ${region.heights.length} bases; the largest at ${tallest.map((i) => `${region.start + i} ${region.sequence[i]}`).join(", ")}`);
  svg.append(shape("rect", { x: 0, y: -1, width, height: 2, class: "axis" }));
  region.heights.forEach((height, i) => {
    const letter = region.sequence[i];
    if (Math.abs(height) < 2 || letter === "N") return;
    svg.append(letterShape(letter, { x: i * WIDE + 2, y: height > 0 ? -height : 0, width: WIDE - 4, height: Math.abs(height) }));
  });
  return svg;
}

function regionFigure(region) {
  const words = `${region.region} (${region.strand}), score ${signed(region.score)}`;
  const made = element("figure", { className: "region" }, element("figcaption", {}, element("b", { textContent: words })));
  if (!region.heights) return made;
  const last = region.start + region.heights.length;
  const ends = element("div", { className: "ends" }, element("span", { textContent: region.start.toLocaleString("en") }), element("span", { textContent: `largest contribution ${number(region.largest)}` }), element("span", { textContent: last.toLocaleString("en") }));
  const scroll = element("div", { className: "bases-scroll", tabIndex: 0 }, baseLogo(region), ends);
  scroll.setAttribute("role", "group");
  scroll.setAttribute("aria-label", `Bases of ${region.region}`);
  made.append(scroll);
  return made;
}

// the regions of one concept at one place; nothing where there are none
function regionsOf(site, id) {
  return (site.regions[id] || []).map(regionFigure);
}

function sites() {
  const select = byId("sites-place"), concept = byId("sites-concept");
  if (!select) return;
  const all = CONTENT.sites, here = () => all[Number(select.value) || 0];
  const strongest = (list) => Math.max(...list.map((region) => Math.abs(region.score)));
  // those whose bases were followed first, then by score
  const order = () => Object.entries(here().regions).sort(([, a], [, b]) => Boolean(b[0].heights) - Boolean(a[0].heights) || strongest(b) - strongest(a)).map(([id]) => Number(id));
  const draw = () => {
    const site = here(), chosen = concept.value === "" ? order().slice(0, 4) : [Number(concept.value)];
    byId("sites-list").replaceChildren(...chosen.map((id) => {
      const heading = element("h3", {}, name({ number: id, label: CONCEPTS[id].label }));
      return element("div", { className: "site" }, heading, logo(id), ...regionsOf(site, id));
    }));
    if (!chosen.length) byId("sites-list").replaceChildren(element("p", { className: "notice", textContent: "There are no regions to show here." }));
  };
  const changed = () => {
    const site = here(), ids = order();
    fill(concept, [["", ids.length > 4 ? "the four of the largest score" : "all"], ...ids.map((id) => [id, CONCEPTS[id].label])]);
    const error = isNumber(site.error) ? `; completeness error ${site.error < 1e-4 ? "below 0.01" : `at most ${number(100 * site.error, 2)}`} % of the mean score` : "";
    byId("sites-words").textContent = site.followed ? `Bases were followed for the ${site.followed} concepts of the largest effects${error}.` : "Bases were not followed here: the model's inputs are not one-hot, or no concept was to be.";
    const file = byId("sites-file"), path = [site.model, site.layer, "sites", `${site.target}.tsv`];
    file.textContent = path.join("/");
    file.href = path.map(encodeURIComponent).join("/");
    draw();
  };
  fill(select, all.map((one, i) => [i, `${one.model} · ${one.layer} · ${one.target}`]));
  select.addEventListener("change", changed);
  concept.addEventListener("change", draw);
  changed();
}

function drawVariance(host) {
  const traces = CONTENT.variance.filter((one) => one.k).map((one) => ({
    type: "scatter", mode: "lines", name: plain(`${one.model} · ${one.layer}`, 40), x: one.component, y: one.cumulative,
    hovertemplate: `${plain(`${one.model} · ${one.layer}`, 60)}: %{x} components hold %{y:.1%}<extra></extra>`,
  }));
  plot(host, traces, { showlegend: true, legend: { orientation: "h", y: 1.14, x: 0, font: { size: 11.5 } }, margin: { l: 56, r: 16, t: 34, b: 52 }, colorway: [css("--accent"), css("--up"), css("--encoded"), css("--odd"), css("--muted")],
    xaxis: { title: { text: "components" }, type: "log", dtick: 1 }, yaxis: { title: { text: "share of variance" }, tickformat: ".0%", range: [0, 1.02] } });
}
