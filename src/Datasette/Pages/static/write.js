// The page for SQL that writes: what it would do, and what it asks for, is told while it is typed.
const form = document.getElementById("write-sql");
const editor = form.elements.sql;
const run = form.querySelector("input[type=submit]");
const reason = document.getElementById("execute-write-disabled-reason");
const section = form.querySelector(".sql-parameters-section");
const table = document.getElementById("analysis-table");
const prefix = "_sql_param_";
const make = (tag, attributes, ...children) => {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
};
const tell = (text) => {
  run.disabled = Boolean(text);
  if (reason.textContent !== (text || "")) reason.textContent = text || "";
};
const showParameters = (names) => {
  const rows = new Map([...section.querySelectorAll(".sql-parameter-row")].map((row) => [row.querySelector("input").name, row]));
  const now = names.map((name, i) => {
    const row = rows.get(prefix + name) || make("p", { class: "sql-parameter-row" }, make("label", {}, name),
      make("input", { type: "text", name: prefix + name, "data-parameter-control": "" }));
    row.querySelector("input").id = row.querySelector("label").htmlFor = "qp" + (i + 1);
    return row;
  });
  // A field that somebody is typing into is not moved.
  const kept = [...rows.values()];
  if (now.length === kept.length && now.every((row, i) => row === kept[i])) return;
  for (const row of kept) if (!now.includes(row)) row.remove();
  section.append(...now);
  section.hidden = now.length === 0;
};
const showOperations = (rows) => {
  table.tBodies[0].replaceChildren(...rows.map((row) =>
    make("tr", {}, ...[row.operation, row.source ? `${row.table} (by ${row.source})` : row.table, row.required_permission].map((text) => make("td", {}, text ?? "")),
      make("td", row.allowed ? {} : { class: "denied" }, row.allowed ? "allowed" : "denied"))));
  table.parentElement.hidden = rows.length === 0;
};
let asked = 0;
const look = async () => {
  const own = ++asked;
  const answer = await fetch(`${form.getAttribute("action")}/analyze?sql=${encodeURIComponent(editor.value)}`, { cache: "no-store" }).catch(() => null);
  if (own !== asked) return;
  // SQL too long for an address is judged when it is sent.
  if (!answer || !answer.ok) return tell(answer && answer.status === 403 ? "You may not write to this database any more" : null);
  const { parameters, analysis_rows, execute_disabled_reason } = await answer.json();
  if (own !== asked) return;
  showParameters(parameters);
  showOperations(analysis_rows);
  tell(execute_disabled_reason);
};
let timer;
editor.addEventListener("input", () => {
  clearTimeout(timer);
  timer = setTimeout(look, 300);
});
document.querySelector(".check-sql").parentElement.hidden = true;
tell(reason.textContent);
// A browser may bring back what was typed before.
window.addEventListener("pageshow", () => editor.value !== editor.defaultValue && look());
