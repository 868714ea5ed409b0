"use strict";
/* The page's data as objects, and small helpers that all parts share. */

const DATA = JSON.parse(document.getElementById("data").textContent);
const SHARED = new Set(["dataset", "metric", "signature", "protocol", "table", "seen", "mark", "contaminated", "note"]);
const NUMBERS = new Set(["value", "sd", "low", "high", "seconds"]);
/** JSON has no infinity: it stands as "inf" and "-inf". */
const asNumber = (value) => (value === "inf" ? Infinity : value === "-inf" ? -Infinity : value);
const ENTRIES = DATA.entries.map((row) => {
  const entry = {};
  DATA.fields.forEach((name, place) => {
    const value = row[place];
    if (SHARED.has(name)) entry[name] = DATA.texts[value];
    else entry[name] = NUMBERS.has(name) ? asNumber(value) : value;
  });
  entry.method = DATA.cards[entry.card];
  entry.kind = entry.method.kind;
  entry.how = entry.table || entry.protocol || entry.signature;
  return entry;
});
for (const matrix of DATA.matrices) matrix.values = matrix.values.map((row) => row.map(asNumber));

const byId = (id) => document.getElementById(id);

/** A new element with attributes and children; a text is never read as HTML. */
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "text") element.textContent = value;
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== null && value !== false) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

const SIGNS = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
const escapeHtml = (text) => String(text).replace(/[&<>"']/g, (sign) => SIGNS[sign]);

const metricName = (name) => (DATA.metrics[name] ? DATA.metrics[name].display : name);
const arrow = (name) => ({ higher: " ↑", lower: " ↓" })[(DATA.metrics[name] || {}).direction] || "";
/** A scale is a number, or one factor per axis: "1.5x2" (height x width). */
const times = (scale) => (scale === null ? "–" : "×" + String(scale).replace("x", "×"));
/** Where a scale stands among others: a pair by its geometric mean; -Infinity for none. */
const scaleOrder = (scale) => {
  if (scale === null || scale === "null") return -Infinity;
  const factors = String(scale).split("x").map(Number);
  return Math.sqrt(factors[0] * factors[factors.length - 1]);
};
const unique = (values) => [...new Set(values)];
const fixed = (value, metric) => (Number.isFinite(value) ? value.toFixed((DATA.metrics[metric] || { decimals: 4 }).decimals) : value > 0 ? "∞" : "-∞");

function count(number) {
  if (number === null) return "";
  if (number >= 1e6) return (number / 1e6).toFixed(1) + " M";
  return number >= 1e3 ? (number / 1e3).toFixed(0) + " k" : String(number);
}

function seconds(value) {
  if (value === null) return "";
  if (value < 0.1) return (value * 1000).toFixed(0) + " ms";
  return value < 10 ? value.toFixed(2) + " s" : value.toFixed(0) + " s";
}

/** Fill a select; each choice is [value, text]. What was chosen stays chosen where it still exists. */
function fill(select, choices, wanted = select.value) {
  select.replaceChildren(...choices.map(([value, text]) => make("option", { value, text })));
  if (choices.some(([value]) => String(value) === String(wanted))) select.value = wanted;
}

/** Show a sentence for a moment, and to screen readers. */
function say(text) {
  const place = byId("said");
  place.textContent = text;
  place.classList.add("shown");
  clearTimeout(say.timer);
  say.timer = setTimeout(() => place.classList.remove("shown"), 2500);
}

/** A table of numbers: headings and rows of texts. */
function numbersTable(headings, rows) {
  const head = make("tr", {}, ...headings.map((text) => make("th", { scope: "col", text })));
  const body = rows.map((row) => make("tr", {}, ...row.map((text) => make("td", { text }))));
  return make("table", { class: "numbers" }, make("thead", {}, head), make("tbody", {}, ...body));
}

/** Do something when an element first comes near the screen. */
function whenSeen(element, work) {
  const watch = new IntersectionObserver((seen) => {
    if (!seen.some((one) => one.isIntersecting)) return;
    watch.disconnect();
    work();
  }, { rootMargin: "200px" });
  watch.observe(element);
}
