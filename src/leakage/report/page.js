"use strict";
// Sorting and filtering are extras: without this script the page shows everything.
function readKey(row, index, isNumber) {
  const text = row.cells[index].textContent.trim();
  if (!isNumber) return text.toLowerCase();
  const found = text.split("=").pop().match(/-?\d+(\.\d+)?/); // the share of "48/70 = 0.686"
  return found ? Number(found[0]) : NaN;
}
function isEmpty(key) {
  return key === "" || Number.isNaN(key);
}
function sortTable(table, heading) {
  const falling = heading.getAttribute("aria-sort") === "ascending";
  const index = heading.cellIndex, isNumber = "number" in heading.dataset;
  const rows = Array.from(table.tBodies[0].rows, (row) => [readKey(row, index, isNumber), row]);
  rows.sort(([a], [b]) => {
    if (isEmpty(a) || isEmpty(b)) return isEmpty(a) - isEmpty(b); // the empty last, either way
    const order = isNumber ? a - b : a.localeCompare(b, "en", { numeric: true });
    return falling ? -order : order;
  });
  table.tBodies[0].append(...rows.map(([, row]) => row));
  for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
  heading.setAttribute("aria-sort", falling ? "descending" : "ascending");
  for (const mark of table.tHead.querySelectorAll("button > span")) mark.textContent = "↕";
  heading.querySelector("button > span").textContent = falling ? "↓" : "↑";
}
function makeSortable(table) {
  for (const heading of table.tHead.rows[0].cells) {
    if ("fixed" in heading.dataset) continue;
    const button = document.createElement("button");
    const mark = document.createElement("span");
    mark.textContent = "↕";
    mark.setAttribute("aria-hidden", "true");
    button.type = "button";
    button.append(...heading.childNodes, mark);
    button.addEventListener("click", () => sortTable(table, heading));
    heading.append(button);
  }
}
function addFilter(table) {
  const rows = Array.from(table.tBodies[0].rows), what = table.dataset.filter;
  const box = document.createElement("div"), label = document.createElement("label");
  const input = document.createElement("input"), output = document.createElement("output");
  box.className = "filter";
  input.type = "search";
  input.id = table.id + "-filter";
  label.htmlFor = input.id;
  label.textContent = "Filter " + what;
  const update = () => {
    const words = input.value.toLowerCase().split(/\s+/);
    let shown = 0;
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
      shown += !row.hidden;
    }
    output.textContent = shown + " of " + rows.length + " " + what;
  };
  input.addEventListener("input", update);
  update();
  box.append(label, input, output);
  table.parentElement.before(box);
}
for (const table of document.querySelectorAll("table[data-sortable]")) {
  makeSortable(table);
  if ("filter" in table.dataset) addFilter(table);
}
function openTarget() {
  const target = document.getElementById(location.hash.slice(1));
  if (target instanceof HTMLDetailsElement) target.open = true;
}
addEventListener("hashchange", openTarget);
openTarget();
