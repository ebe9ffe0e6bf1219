// Sorts and filters the tables, and writes feedback to a file. Without it the pages read the same.
"use strict";

// The value a cell is sorted by: the exact one where it has one, else its text; null of an empty one.
function valueOf(cell) {
  const data = cell.querySelector("data");
  const text = data ? data.value : cell.textContent.trim();
  const number = Number(text);
  if (text === "") return null;
  return Number.isFinite(number) ? number : text;
}

function written(count) {
  return count.toLocaleString(document.documentElement.lang);
}

function compare(one, other, language) {
  if (one === null || other === null) return (one === null) - (other === null);
  if (typeof one === "number" && typeof other === "number") return one - other;
  return String(one).localeCompare(String(other), language, { numeric: true });
}

function sortBy(table, column, way) {
  const body = table.tBodies[0];
  const language = document.documentElement.lang;
  const rows = Array.from(body.rows, (row, place) => ({ row, place, value: valueOf(row.cells[column]) }));
  rows.sort((one, other) => {
    if (one.value === null || other.value === null) return compare(one.value, other.value) || one.place - other.place;
    return way * compare(one.value, other.value, language) || one.place - other.place;
  });
  body.append(...rows.map((item) => item.row));
  Array.from(table.tHead.rows[0].cells).forEach((cell, place) => {
    if (place === column) cell.setAttribute("aria-sort", way > 0 ? "ascending" : "descending");
    else cell.removeAttribute("aria-sort");
  });
}

function makeSortable(table) {
  Array.from(table.tHead.rows[0].cells).forEach((cell, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "sort";
    button.append(...cell.childNodes);
    cell.append(button);
    button.addEventListener("click", () => {
      const sorted = cell.getAttribute("aria-sort");
      const first = cell.classList.contains("n") ? -1 : 1; // the largest number first
      sortBy(table, column, sorted ? (sorted === "ascending" ? -1 : 1) : first);
    });
  });
}

function makeFilter(form) {
  const table = document.getElementById(form.dataset.table);
  const shown = form.querySelector("output");
  const rows = Array.from(table.tBodies[0].rows, (row) => ({ row, text: row.textContent.toLowerCase() }));
  const fields = Array.from(form.querySelectorAll("input, select"));
  const choose = () => {
    let count = 0;
    for (const { row, text } of rows) {
      const fits = fields.every((field) => {
        const wanted = field.value.toLowerCase();
        return field.dataset.column === undefined
          ? text.includes(wanted)
          : wanted === "" || (row.cells[Number(field.dataset.column)].dataset.key || "").toLowerCase() === wanted;
      });
      row.hidden = !fits;
      count += fits;
    }
    shown.textContent = form.dataset.shown.replace("{shown}", written(count)).replace("{all}", written(rows.length));
  };
  fields.forEach((field) => field.addEventListener("input", choose));
  form.addEventListener("submit", (event) => event.preventDefault());
  form.hidden = false;
  choose();
}

// Feedback is kept in the browser, where it allows that, so that one file holds all that was said.
const KEPT = "holdfast-feedback";

function kept() {
  try {
    return JSON.parse(localStorage.getItem(KEPT)) || [];
  } catch {
    return [];
  }
}

function quoted(value) {
  // A cell that begins like a formula is never one.
  const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return `"${text.replaceAll('"', '""')}"`;
}

function feedbackFile(rows) {
  const columns = ["account_id", "given_on", "verdict", "reason", "by"];
  return [columns.join(","), ...rows.map((row) => columns.map((name) => quoted(row[name])).join(","))].join("\r\n") + "\r\n";
}

function takeFeedback(form) {
  const reason = form.elements.reason;
  const said = form.querySelector("output");
  form.addEventListener("change", () => {
    reason.disabled = form.elements.verdict.value !== "other_reason";
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const now = new Date();
    const day = new Date(now.getTime() - now.getTimezoneOffset() * 60000).toISOString().slice(0, 10);
    const row = {
      account_id: form.dataset.account,
      given_on: day,
      verdict: form.elements.verdict.value,
      reason: reason.disabled ? "" : reason.value,
      by: form.elements.by.value.trim(),
    };
    const rows = kept().filter((other) => ["account_id", "given_on", "by"].some((name) => other[name] !== row[name]));
    rows.push(row);
    try {
      localStorage.setItem(KEPT, JSON.stringify(rows));
    } catch {
      // Not kept: the file then holds this row alone.
    }
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([feedbackFile(rows)], { type: "text/csv" }));
    // Two people's files of one day may lie in one folder.
    link.download = `feedback-${day}-${row.by.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, "-")}.csv`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60000);
    said.textContent = form.dataset.saved.replace("{rows}", written(rows.length));
  });
  form.hidden = false;
}

document.querySelectorAll("table.sortable").forEach(makeSortable);
document.querySelectorAll("form.filter").forEach(makeFilter);
document.querySelectorAll("form.feedback").forEach(takeFeedback);
