"use strict";
// The content of the page, decoded; formatting that tables and charts share.
const CONTENT = JSON.parse(document.getElementById("content").textContent);

function decoded(columns) {
  const found = {};
  for (const [name, values] of Object.entries(columns)) {
    found[name] = Array.isArray(values) ? values
      : values.codes.map((code) => (code < 0 ? null : values.levels[code]));
  }
  return found;
}

function rowsOf(columns) {
  const names = Object.keys(columns);
  const n = names.length ? columns[names[0]].length : 0;
  return Array.from({ length: n }, (_, i) => Object.fromEntries(names.map((name) => [name, columns[name][i]])));
}

const CONCEPTS = rowsOf(decoded(CONTENT.concepts));
for (const one of CONCEPTS) one.label ??= one.concept;
const NUMBERS = new Map(CONCEPTS.map((one, i) => [one.concept, i]));
for (const place of CONTENT.places) {
  place.rows = rowsOf(decoded(place.rows));
  place.rows.forEach((row, i) => {
    row.number = place.concept[i];
    row.label = CONCEPTS[row.number].label;
  });
  place.name = `${place.model} · ${place.layer} · ${place.target}`;
}

const shortened = (text, most = 40) => (String(text).length > most ? `${String(text).slice(0, most - 1)}…` : String(text));
const isNumber = (value) => typeof value === "number" && Number.isFinite(value);
// charts read a few tags in text: none of ours, so that none is read
const plain = (text, most) => shortened(text, most).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");

const minus = (text) => text.replace("-", "−");
function number(value, digits = 3) {
  if (!isNumber(value)) return value === null || value === undefined ? "–" : String(value);
  const size = Math.abs(value);
  if (Number.isInteger(value)) return minus(size >= 1e4 ? value.toLocaleString("en") : String(value));
  if (size < 0.001) return minus(value.toExponential(1));
  return minus(size >= 1000 ? value.toFixed(0) : Number(value.toPrecision(digits)).toString());
}
const signed = (value) => (isNumber(value) && value > 0 ? `+${number(value)}` : number(value));
const fixed = (value, digits = 3) => (isNumber(value) ? (value !== 0 && Math.abs(value) < 0.5 * 10 ** -digits ? value.toExponential(0) : minus(value.toFixed(digits))) : "–");

function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

function shape(tag, attributes) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}
const letterShape = (letter, place) => shape("use", { href: `#nt-${letter}`, class: letter, ...place });

function logo(concept, big = false) {
  const heights = CONTENT.logos[concept];
  if (!heights) return document.createTextNode("");
  const width = heights.length / 4;
  const svg = shape("svg", { viewBox: `0 0 ${width * 90} 200`, preserveAspectRatio: "xMinYMid meet", class: big ? "logo big" : "logo", role: "img" });
  let best = "";
  for (let i = 0; i < width; i += 1) {
    const letters = [0, 1, 2, 3].map((k) => [heights[4 * i + k], "ACGT"[k]]).sort((a, b) => a[0] - b[0]);
    best += letters[3][0] ? letters[3][1] : "·";
    let top = 200;
    for (const [height, letter] of letters) {
      if (height < 3) continue;
      top -= height;
      svg.append(letterShape(letter, { x: i * 90 + 2, y: top, width: 86, height }));
    }
  }
  svg.setAttribute("aria-label", `Logo of the motif, most probable bases ${best}`);
  return svg;
}

function fill(select, options) {
  select.replaceChildren(...options.map(([value, text]) => element("option", { value, textContent: shortened(text, 90) })));
}
