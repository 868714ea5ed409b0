/* The table of results: sorting and paging by DataTables, filters of the page's own. */

const TABLE = { api: null };

function rankText(entry, type) {
  if (type !== "display") return entry.rank === null ? 1e9 : entry.rank;
  return entry.rank === null ? "" : `${entry.rank} <span class="of">/ ${entry.of}</span>`;
}

/** The signs of training behind a number. */
const marksOf = (entry) => entry.mark + (entry.value !== null && entry.method.minimised.includes(entry.metric) ? "‡" : "");

function valueText(entry, type) {
  if (type !== "display") return entry.value === null ? -Infinity : entry.value;
  if (entry.value === null) return `<span class="incomplete">${escapeHtml(entry.text)}</span>`;
  const sd = entry.sd === null ? "" : ` <span class="sd">± ${fixed(entry.sd, entry.metric)}</span>`;
  const marks = marksOf(entry);
  return `<span class="value">${escapeHtml(entry.text)}</span>${sd}${marks ? ` <span class="mark">${marks}</span>` : ""}`;
}

function methodText(entry, type) {
  const name = entry.method.display;
  if (type !== "display") return name;
  const under = `${escapeHtml(entry.dataset)} · ${entry.kind}`;
  return `<button type="button" class="open" aria-haspopup="dialog">${escapeHtml(name)}</button><span class="under">${under}</span>`;
}

const METRIC_ORDER = Object.keys(DATA.metrics);

function metricText(entry, type) {
  if (type === "display") return escapeHtml(metricName(entry.metric) + arrow(entry.metric));
  return type === "sort" ? METRIC_ORDER.indexOf(entry.metric) : metricName(entry.metric);
}

const plain = (name) => (entry, type) => (type === "display" ? escapeHtml(entry[name]) : entry[name]);
const number = (read, show) => (entry, type) => {
  const value = read(entry);
  if (type === "display") return escapeHtml(show(value));
  return value === null ? -Infinity : value;
};

const COLUMNS = [
  { title: "Method", width: "12rem", phone: "34%", read: methodText },
  { title: "Dataset", width: "6.5rem", class: "middle", read: plain("dataset") },
  { title: "Scale", width: "4.6rem", phone: "16%", class: "num", read: (e, type) => (type === "display" ? escapeHtml(times(e.scale)) : scaleOrder(e.scale)) },
  { title: "Metric", width: "6.4rem", phone: "19%", read: metricText },
  { title: "Value", width: "7.4rem", phone: "17%", class: "num", read: valueText },
  { title: "95 % interval", width: "9.4rem", class: "num wide", read: (e, type) => (type === "display" ? (e.low === null ? "" : `${fixed(e.low, e.metric)} – ${fixed(e.high, e.metric)}`) : e.low === null ? -Infinity : e.high - e.low) },
  { title: "Rank", width: "4.8rem", phone: "14%", class: "num", read: rankText },
  { title: "Images", width: "5rem", class: "num middle", read: number((e) => e.n || null, (n) => (n === null ? "" : n)) },
  { title: "Seeds", width: "4.6rem", class: "num wide", read: number((e) => (e.kind === "reported" ? null : e.seeds), (n) => (n === null ? "" : n)) },
  { title: "Protocol", width: "7.2rem", class: "middle", read: (e, type) => (type === "display" ? `<span title="${escapeHtml(e.how)}">${escapeHtml(e.how)}</span>` : e.how) },
  { title: "Param.", width: "5rem", class: "num wide", read: number((e) => e.method.parameters, count) },
  { title: "Time", width: "4.8rem", class: "num wide", read: number((e) => e.seconds, seconds) },
  { title: "Source", width: "6.2rem", class: "middle", read: (e, type) => (type === "display" ? `<span class="kind ${e.kind}">${e.kind}</span>` : e.kind) },
];

/* Source, dataset, metric, scale, protocol, rank: the best first in every comparison. */
const FIRST_ORDER = [12, 1, 3, 2, 9, 6].map((place) => [place, "asc"]);

const FILTERS = {
  dataset: { read: (e) => e.dataset, show: (v) => v },
  scale: { read: (e) => String(e.scale), show: (v) => (v === "null" ? "not stated" : times(v)), order: (a, b) => scaleOrder(a) - scaleOrder(b) },
  metric: { read: (e) => e.metric, show: metricName },
  how: { read: (e) => e.how, show: (v) => (v.length > 60 ? v.slice(0, 57) + "…" : v) },
  kind: { read: (e) => e.kind, show: (v) => v },
};

function startTable() {
  for (const [name, filter] of Object.entries(FILTERS)) {
    const values = unique(ENTRIES.map(filter.read));
    if (filter.order) values.sort(filter.order);
    fill(byId("f-" + name), [["", "all"], ...values.map((value) => [value, filter.show(value)])], "");
  }
  const narrow = matchMedia("(max-width: 60rem)");
  const close = matchMedia("(max-width: 86rem)");
  const fits = (column) => !((narrow.matches && /middle|wide/.test(column.class)) || (close.matches && /wide/.test(column.class)));
  const columns = COLUMNS.map((column) => ({
    title: column.title,
    className: column.class || "",
    data: null,
    type: /num/.test(column.class) || column.title === "Metric" ? "num" : "string",
    width: narrow.matches && column.phone ? column.phone : column.width,
    visible: fits(column),
    render: (_, type, entry) => column.read(entry, type),
  }));
  TABLE.api = new DataTable("#table", {
    data: ENTRIES,
    columns,
    autoWidth: false,
    deferRender: true,
    pageLength: 25,
    lengthMenu: [25, 50, 100, 250],
    order: FIRST_ORDER,
    orderMulti: true,
    layout: { topStart: null, topEnd: null, bottomStart: ["pageLength", "info"], bottomEnd: "paging" },
    language: { emptyTable: "Nothing fits the filters.", zeroRecords: "Nothing fits the filters.", lengthMenu: "_MENU_ a page" },
    createdRow: (row, entry) => row.classList.add(entry.kind, ...(entry.rank === 1 ? ["best"] : [])),
  });
  TABLE.api.search.fixed("page", (_, entry) => keeps(entry));
  TABLE.api.on("draw", showCount);
  [narrow, close].forEach((query) => query.addEventListener("change", () => {
    COLUMNS.forEach((column, place) => TABLE.api.column(place).visible(fits(column), false));
    TABLE.api.draw(false);
  }));
  byId("filters").addEventListener("input", () => TABLE.api.draw());
  byId("filters").addEventListener("submit", (event) => event.preventDefault());
  byId("filters").addEventListener("reset", () => setTimeout(() => TABLE.api.order(FIRST_ORDER).draw()));
  byId("table").addEventListener("click", (event) => {
    const button = event.target.closest("button.open");
    if (button) showCard(TABLE.api.row(button.closest("tr")).data());
  });
  showCount();
}

function keeps(entry) {
  for (const [name, filter] of Object.entries(FILTERS)) {
    const wanted = byId("f-" + name).value;
    if (wanted && filter.read(entry) !== wanted) return false;
  }
  const text = byId("f-text").value.trim().toLowerCase();
  if (!text) return true;
  const where = `${entry.method.display} ${entry.dataset} ${entry.metric} ${entry.signature} ${entry.how} ${entry.method.source}`;
  return text.split(/\s+/).every((word) => where.toLowerCase().includes(word));
}

/** The entries that the filters leave, in the order of the table. */
const shownEntries = () => TABLE.api.rows({ search: "applied", order: "applied" }).data().toArray();

function showCount() {
  const left = TABLE.api.rows({ search: "applied" }).count();
  byId("f-count").textContent = left === ENTRIES.length ? `${left} numbers` : `${left} of ${ENTRIES.length} numbers`;
}
