"use strict";
// A table that can be sorted, filtered, searched and exported as TSV.
class DataTable {
  // columns: {key, title, help, kind: "text" | "number" | "flag", cell(row), value(row), filter, minor, head}
  constructor(host, columns, { file, name, onRow, total, page = 100, caption }) {
    Object.assign(this, { host, columns, file, name, onRow, total, page, shown: page, query: "", filters: {} });
    this.sort = null;
    this.rows = [];
    this.build(caption);
  }

  drawn() {
    return this.columns.filter((column) => !column.hidden);
  }

  value(column, row) {
    return column.value ? column.value(row) : row[column.key];
  }

  build(caption) {
    this.search = element("input", { type: "search", placeholder: "Search", ariaLabel: `Search in ${caption}` });
    this.search.addEventListener("input", () => { this.query = this.search.value.toLowerCase(); this.shown = this.page; this.draw(); });
    this.selects = this.columns.filter((column) => column.filter).map((column) => {
      const select = element("select", { ariaLabel: `Only rows by: ${column.title}` });
      select.addEventListener("change", () => { this.filters[column.key] = select.value; this.shown = this.page; this.draw(); });
      return [column, select];
    });
    this.count = element("span", { className: "count" });
    this.count.setAttribute("aria-live", "polite");
    const save = element("button", { type: "button", textContent: "Export TSV", className: "export" });
    save.addEventListener("click", () => this.export());
    const tools = element("div", { className: "tools" }, this.search, ...this.selects.map(([, select]) => select), save);
    if (this.file) tools.append(element("a", { href: this.file, textContent: this.file }));
    tools.append(this.count);
    this.head = element("tr");
    for (const column of this.drawn()) {
      const button = element("button", { type: "button", textContent: column.title, title: column.help || "" });
      const cell = element("th", { scope: "col", className: this.classes(column) }, button);
      button.addEventListener("click", () => this.sortBy(column));
      column.cellOfHead = cell;
      this.head.append(cell);
    }
    this.body = element("tbody");
    const table = element("table", {}, element("caption", { textContent: caption }), element("thead", {}, this.head), this.body);
    const scroll = element("div", { className: "scroll", tabIndex: 0 }, table);
    scroll.setAttribute("role", "region");
    scroll.setAttribute("aria-label", caption);
    this.again = element("p", { className: "again" });
    this.host.replaceChildren(tools, scroll, this.again);
  }

  classes(column) {
    return [column.kind === "number" ? "num" : "text", column.minor ? "minor" : ""].join(" ").trim();
  }

  sortBy(column) {
    const first = column.kind === "number" ? -1 : 1;
    this.sort = this.sort?.key === column.key ? { key: column.key, way: -this.sort.way } : { key: column.key, way: first };
    this.draw();
  }

  setRows(rows) {
    this.rows = rows;
    this.shown = this.page;
    for (const [column, select] of this.selects) {
      const values = [...new Set(rows.map((row) => String(this.value(column, row) ?? "–")))].sort();
      const kept = values.includes(this.filters[column.key]) ? this.filters[column.key] : "";
      fill(select, [["", `${column.title}: all`], ...values.map((value) => [value, value])]);
      select.value = this.filters[column.key] = kept;
      select.hidden = values.length < 2;
    }
    this.draw();
  }

  visible() {
    const chosen = this.rows.filter((row) =>
      this.selects.every(([c]) => !this.filters[c.key] || String(this.value(c, row) ?? "–") === this.filters[c.key])
      && (!this.query || this.columns.some((c) => c.kind !== "number" && String(this.value(c, row) ?? "").toLowerCase().includes(this.query))));
    const column = this.sort && this.columns.find((one) => one.key === this.sort.key);
    if (!column) return chosen;
    const missing = (value) => value === null || value === undefined || Number.isNaN(value);
    const compare = (a, b) => {
      const [x, y] = [this.value(column, a), this.value(column, b)];
      if (missing(x) || missing(y)) return missing(x) - missing(y);
      const order = typeof x === "number" && typeof y === "number" ? x - y
        : String(x).localeCompare(String(y), undefined, { numeric: true });
      return order * this.sort.way;
    };
    return [...chosen].sort(compare);
  }

  draw() {
    const rows = this.visible();
    for (const column of this.drawn()) {
      const way = this.sort?.key === column.key ? this.sort.way : 0;
      column.cellOfHead.setAttribute("aria-sort", way ? (way > 0 ? "ascending" : "descending") : "none");
    }
    this.body.replaceChildren(...rows.slice(0, this.shown).map((row) => this.line(row)));
    const held = this.total && this.total > this.rows.length ? ` (${this.total} in the file)` : "";
    this.count.textContent = `${rows.length} of ${this.rows.length} rows${held}`;
    this.again.replaceChildren();
    if (!rows.length) this.again.append(this.rows.length ? "No row fits." : "This table is empty.");
    if (rows.length > this.shown) {
      const more = element("button", { type: "button", textContent: `Show ${Math.min(500, rows.length - this.shown)} more of ${rows.length - this.shown}` });
      more.addEventListener("click", () => { this.shown += 500; this.draw(); });
      this.again.append(more);
    }
  }

  line(row) {
    const line = element("tr");
    this.drawn().forEach((column) => {
      const content = column.cell ? column.cell(row) : this.plainCell(column, row);
      const cell = element(column.head ? "th" : "td", { className: this.classes(column) }, content);
      if (typeof content === "string") cell.classList.add(content.length > 14 ? "long" : "short");
      if (column.head) cell.scope = "row";
      line.append(cell);
    });
    if (this.onRow) {
      line.className = "click";
      line.addEventListener("click", () => this.onRow(row));
    }
    return line;
  }

  plainCell(column, row) {
    const value = this.value(column, row);
    if (typeof value === "boolean") return value ? "yes" : "no";
    return column.kind === "number" ? number(value) : String(value ?? "–");
  }

  export() {
    const clean = (value) => (value === null || value === undefined ? "NA" : String(value).replace(/[\t\r\n]+/g, " "));
    const columns = this.columns.flatMap((column) => column.export || [[column.key, (row) => this.value(column, row)]]);
    const lines = [columns.map(([name]) => name), ...this.visible().map((row) => columns.map(([, value]) => clean(value(row))))];
    const blob = new Blob([lines.map((line) => `${line.join("\t")}\n`).join("")], { type: "text/tab-separated-values" });
    const link = element("a", { href: URL.createObjectURL(blob), download: `${this.name}.tsv` });
    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }
}
