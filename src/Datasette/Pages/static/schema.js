// Forms that make and change tables. Only pages on which somebody may do that ask for this file, after the forms for rows.
const { facts, all, make, button, later, plural, post, ask, tilde, frame, say, numeral, isExact, isBytes, readRows, previewOf } = window.datasetteForms;
const { rights } = facts;
const types = { text: "Text", integer: "Integer", float: "Real number", blob: "Bytes" };
const expressions = {
  current_timestamp: "Date and time of insert",
  current_date: "Date of insert",
  current_time: "Time of insert",
  current_unixtime: "Unix time, seconds",
  current_unixtime_ms: "Unix time, milliseconds",
};
let numbers = 0;
const labelled = (text, control) => make("label", {}, make("span", {}, text), control);
const select = (name, entries) => make("select", { class: name }, ...entries.map(([value, text]) => make("option", { value }, text)));

// One new column: name, type, key, and what few need behind a fold. The class names begin with the name of the dialog.
const columnRow = (prefix, targets, hasKey, after) => {
  const number = ++numbers;
  const name = make("input", { type: "text", class: `${prefix}-column-name`, autocapitalize: "off", autocomplete: "off", spellcheck: "false" });
  const type = select(`${prefix}-column-type`, Object.entries(types));
  const pk = make("input", { type: "checkbox", class: `${prefix}-primary-key` });
  const notNull = make("input", { type: "checkbox", class: `${prefix}-not-null-input` });
  const text = make("input", { type: "text", class: `${prefix}-default` });
  const expression = select(`${prefix}-default-expr`, [["", "– none –"], ...Object.entries(expressions)]);
  const target = select(`${prefix}-foreign-key-target`, [["", "– none –"], ...targets.map(({ fk_table, fk_column }, i) => [i, `${fk_table}.${fk_column}`])]);
  const problem = make("p", { class: "row-edit-field-error", id: `${prefix}-problem-${number}`, hidden: "" });
  name.setAttribute("aria-describedby", problem.id);
  const row = make("li", { class: `${prefix}-column-row schema-row` });
  const tool = (kind, label, sign, action) => {
    const one = make("button", { type: "button", class: `${prefix}-${kind} row-inline-action`, title: label, "aria-label": label }, sign);
    one.addEventListener("click", action);
    return one;
  };
  const more = make(
    "details",
    { class: `${prefix}-more-options schema-more` },
    make("summary", {}, "More options"),
    make(
      "div",
      { class: "schema-options" },
      labelled("Default value", text),
      labelled("or default", expression),
      targets.length > 0 ? labelled("Refers to", target) : "",
      make("label", { class: "schema-check" }, notNull, " Required (NOT NULL)"),
    ),
  );
  const remove = tool("remove-column", "Remove this column", "✖", () => {
    const next = row.nextElementSibling || row.previousElementSibling;
    row.remove();
    after(next);
  });
  const move = (step) => () => {
    const other = step < 0 ? row.previousElementSibling : row.nextElementSibling;
    if (!other || !other.matches(".schema-row")) return;
    if (step < 0) other.before(row);
    else other.after(row);
  };
  const up = tool("move-up", "Move up", "↑", move(-1));
  const down = tool("move-down", "Move down", "↓", move(1));
  for (const one of [up, down]) one.addEventListener("click", () => one.focus());
  const key = hasKey ? make("label", { class: "schema-check" }, pk, " Key") : "";
  row.append(make("div", { class: "schema-line" }, labelled("Column", name), labelled("Type", type), key, make("span", { class: "schema-tools" }, ...(hasKey ? [up, down] : []), remove)), problem, more);
  row.schema = {
    name,
    type,
    pk,
    problem,
    fail: (message) => {
      problem.textContent = message;
      problem.hidden = false;
      name.setAttribute("aria-invalid", "true");
    },
    // The column as the interface wants it; undefined when something is missing, which it then says.
    read: () => {
      problem.hidden = true;
      name.removeAttribute("aria-invalid");
      if (name.value.trim() === "") {
        row.schema.fail("Give the column a name, or remove it.");
        return undefined;
      }
      const column = { name: name.value.trim(), type: type.value };
      if (notNull.checked) column.not_null = true;
      if (text.value !== "" && expression.value !== "") {
        more.open = true;
        row.schema.fail("Choose one default: a value, or one made at insert.");
        return undefined;
      }
      if (expression.value !== "") column.default_expr = expression.value;
      else if (text.value !== "") {
        let value = text.value;
        try {
          if (type.value === "integer" || type.value === "float") value = numeral(text.value) ?? text.value;
        } catch (wrong) {
          row.schema.fail(wrong.message);
          return undefined;
        }
        column.default = value;
      }
      if (target.value !== "") {
        const { fk_table, fk_column } = targets[Number(target.value)];
        Object.assign(column, { fk_table, fk_column });
      }
      return column;
    },
  };
  return row;
};
const targetsOf = async (table) =>
  (await ask(`${facts.database_url}/-/foreign-key-targets${table === undefined ? "" : "?table=" + encodeURIComponent(table)}`).catch(() => ({ targets: [] }))).targets;
const readAll = (me, rows) => {
  const columns = rows.map((row) => row.schema.read());
  const bad = rows.find((_, i) => columns[i] === undefined);
  if (!bad) return columns;
  me.fail("Not saved: a column needs a change.");
  bad.schema.name.focus();
  return null;
};

// What a column of pasted values is made as; the same that the server finds. Numbers of CSV are numbers only where none of them would change:
// 007 and +49 are texts.
const isNumber = (text) => /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/.test(text);
const number = (text) => {
  try {
    return numeral(text);
  } catch {
    return null;
  }
};
const typeOf = (values) => {
  const kinds = new Set(values.filter((value) => value !== null && value !== undefined).map((value) =>
    isExact(value) ? (/^-?\d+$/.test(value.text) ? "integer" : "float")
    : typeof value === "boolean" ? "integer"
    : isBytes(value) ? "blob"
    : "text"));
  if (kinds.size === 1) return [...kinds][0];
  const has = (...wanted) => kinds.size === wanted.length && wanted.every((kind) => kinds.has(kind));
  return has("integer", "float") ? "float" : has("text", "blob") ? "blob" : "text";
};
const columnsOf = ({ rows, isText, names }) => {
  const all = names || [...new Set(rows.flatMap((row) => [...row.keys()]))];
  if (all.some((name) => name === null || name.trim() === "")) throw new Error("A column has no name: the first line holds the names.");
  const twice = all.find((name, i) => all.findIndex((other) => other.toLowerCase() === name.toLowerCase()) !== i);
  if (twice !== undefined) throw new Error(`Two columns are called ${twice}.`);
  return all.map((name) => {
    const texts = rows.map((row) => row.get(name)).filter((value) => value !== null && value !== undefined);
    if (isText && texts.length > 0 && texts.every((text) => isNumber(text) && number(text) !== null)) for (const row of rows) if (row.get(name) !== null) row.set(name, number(row.get(name)));
    const values = rows.map((row) => row.get(name));
    const keys = new Set(values.map((value) => (isExact(value) ? value.text : value)));
    const canBeKey = rows.length > 0 && keys.size === rows.length && values.every((value) => isExact(value) || (typeof value === "string" && value !== ""));
    return { name, type: typeOf(values), canBeKey };
  });
};

// A new table, from what its columns are, or from rows.
const create = (() => {
  let me = null;
  const fromData = (table, manual) => {
    const text = make("textarea", { class: "table-create-data-textarea code", id: "create-data", rows: "8", spellcheck: "false", "aria-describedby": "create-data-hint" });
    const file = make("input", { type: "file", class: "table-create-data-open-file row-edit-bulk-open-file", accept: ".csv,.tsv,.txt,.json", "aria-label": "Or open a file" });
    const key = make("select", { class: "table-create-data-primary-key", id: "create-data-key" });
    const keyLine = make("p", { hidden: "" }, make("label", { for: "create-data-key" }, "Key: "), key);
    const summary = make("p", { class: "table-create-data-preview-summary row-edit-bulk-preview-summary", role: "status" });
    const preview = make("div", { class: "row-edit-bulk-preview table-wrapper", tabindex: "0", role: "region", "aria-label": "Preview", hidden: "" });
    const back = button("table-create-manual", "Columns by hand instead");
    let rows = [];
    const show = () => {
      rows = [];
      me.clear();
      preview.hidden = keyLine.hidden = true;
      me.save.textContent = "Create table";
      if (text.value.trim() === "") return (summary.textContent = "");
      try {
        const found = readRows(text.value.trim());
        const columns = columnsOf(found);
        if (found.rows.length === 0) return (summary.textContent = "Column names only, no rows yet");
        rows = found.rows;
        const wanted = key.value;
        const isFree = !columns.some(({ name }) => name.toLowerCase() === "id");
        key.replaceChildren(
          make("option", { value: "" }, "none"),
          ...(isFree ? [make("option", { value: "id" }, "id, a new column that counts up")] : []),
          ...columns.filter(({ canBeKey }) => canBeKey).map(({ name }) => make("option", { value: name }, name)));
        const values = [...key.options].map(({ value }) => value);
        key.value = key.dataset.chosen && values.includes(wanted) ? wanted : values.find((value) => value.toLowerCase() === "id") ?? "";
        const names = columns.map(({ name }) => name);
        preview.replaceChildren(previewOf("table-create-data-preview-table row-edit-bulk-preview-table", columns.map(({ name, type }) => [name, " ", make("small", {}, type)]), rows, names));
        preview.hidden = keyLine.hidden = false;
        summary.textContent = `${plural(rows.length, "row")}, ${plural(columns.length, "column")}${rows.length > 5 ? "; the first 5 rows:" : ":"}`;
        me.save.textContent = `Create table with ${plural(rows.length, "row")}`;
      } catch (wrong) {
        summary.textContent = wrong.message;
      }
    };
    text.addEventListener("input", later(250, show));
    key.addEventListener("change", () => (key.dataset.chosen = "1"));
    file.addEventListener("change", async () => {
      if (file.files.length === 0) return;
      text.value = await file.files[0].text();
      if (table.value === "") table.value = file.files[0].name.replace(/\.[^.]*$/, "");
      show();
    });
    back.addEventListener("click", manual);
    me.fields.replaceChildren(
      make("p", { class: "schema-name" }, labelled("Name of the table", table)),
      make("div", { class: "row-edit-bulk" },
        make("p", { class: "row-edit-head" }, make("label", { for: "create-data" }, "Rows"), " ", make("small", { id: "create-data-hint" }, "from a spreadsheet, as CSV with column names in the first line, or as JSON")),
        text,
        make("p", { class: "button-row schema-buttons" }, file),
        summary,
        preview,
        keyLine,
        make("p", {}, back)),
    );
    me.isDirty = () => text.value !== "" || table.value !== "";
    me.save.textContent = "Create table";
    me.submit = async () => {
      show();
      if (!isNamed(table)) return;
      if (rows.length === 0) {
        text.focus();
        return me.fail("There are no rows yet.", summary.textContent);
      }
      // The interface would add the rows to a table that is there.
      const isThere = await ask(`${facts.database_url}/${tilde(table.value.trim())}.json?_size=0`).then(() => true, (refusal) => refusal.status !== 404);
      if (isThere) {
        table.focus();
        return me.fail(`There is a table ${table.value.trim()} already. Choose another name; rows are added to a table on its own page.`);
      }
      await send(table, { rows, ...(key.value === "" ? {} : { pk: key.value }) });
    };
    (table.value === "" ? table : text).focus();
  };
  const isNamed = (table) => {
    table.removeAttribute("aria-invalid");
    if (table.value.trim() !== "") return true;
    table.setAttribute("aria-invalid", "true");
    table.focus();
    me.fail("Give the table a name.");
    return false;
  };
  const send = async (table, what) => {
    const said = await post(`${facts.database_url}/-/create`, { table: table.value.trim(), ...what });
    location.assign(new URL(said.table_url).pathname);
  };
  return async (opener) => {
    const targets = await targetsOf();
    me ??= frame("table-create", "Create table");
    me.clear();
    me.title.textContent = `Create a table in ${facts.database}`;
    const table = make("input", { type: "text", class: "table-create-table-name", autocapitalize: "off", autocomplete: "off", spellcheck: "false" });
    const list = make("ul", { class: "schema-list" });
    const add = button("table-create-add-column", "Add a column");
    const data = button("table-create-from-data", "From data instead");
    const rows = () => [...list.children];
    const addRow = () => {
      const row = columnRow("table-create", targets, true, (next) => (next && next.schema ? next.schema.name : add).focus());
      list.append(row);
      return row;
    };
    add.addEventListener("click", () => addRow().schema.name.focus());
    const first = addRow().schema;
    first.name.value = "id";
    first.type.value = "integer";
    first.pk.checked = true;
    addRow();
    const manual = () => {
      me.clear();
      me.save.textContent = "Create table";
      me.fields.replaceChildren(make("p", { class: "schema-name" }, labelled("Name of the table", table)), list, make("p", { class: "button-row schema-buttons" }, add, ...(rights.insert ? [data] : [])));
      me.isDirty = () => table.value !== "" || rows().length !== 2 || rows()[1].schema.name.value !== "";
      me.submit = async () => {
        if (!isNamed(table)) return;
        const columns = readAll(me, rows());
        if (!columns) return;
        if (columns.length === 0) return me.fail("Add at least one column.");
        const pks = columns.filter((_, i) => rows()[i].schema.pk.checked).map(({ name }) => name);
        await send(table, { columns, ...(pks.length === 0 ? {} : pks.length === 1 ? { pk: pks[0] } : { pks }) });
      };
      if (me.dialog.open) table.focus();
    };
    data.addEventListener("click", () => {
      me.clear();
      fromData(table, manual);
    });
    manual();
    me.open(opener);
    table.focus();
  };
})();

// An existing table: names, types, columns more and fewer; told in words before it happens.
const alter = (() => {
  let me = null;
  const words = {
    rename_column: ({ name, to }) => `Rename the column ${name} to ${to}`,
    alter_column: ({ name, type }) => `Change the type of ${name} to ${types[type].toLowerCase()}`,
    drop_column: ({ name }) => `Drop the column ${name} with everything that is in it`,
    add_column: ({ name, type }) => `Add the column ${name} (${types[type].toLowerCase()})`,
    add_foreign_key: ({ column, fk_table }) => `Let ${column} refer to ${fk_table}`,
    rename_table: ({ to }) => `Rename the table to ${to}`,
  };
  const known = { TEXT: "text", INTEGER: "integer", REAL: "float", BLOB: "blob" };
  const existing = (column) => {
    const name = make("input", { type: "text", class: "table-alter-column-name", autocapitalize: "off", autocomplete: "off", spellcheck: "false" });
    name.value = column.name;
    const own = known[column.affinity] || "";
    const type = select("table-alter-column-type", [...(own ? [] : [["", column.type.toLowerCase()]]), ...Object.entries(types)]);
    type.value = own;
    const drop = make("button", { type: "button", class: "table-alter-remove-column row-inline-action", "aria-label": `Drop ${column.name}`, "aria-pressed": "false", title: "Drop this column" }, "✖");
    const row = make("li", { class: "table-alter-column-row schema-row", "data-column": column.name },
      make("div", { class: "schema-line" }, labelled("Column", name), labelled("Type", type), make("span", { class: "schema-tools" }, drop)));
    const state = { isDropped: false };
    drop.addEventListener("click", () => {
      state.isDropped = !state.isDropped;
      row.classList.toggle("is-dropped", state.isDropped);
      drop.setAttribute("aria-pressed", String(state.isDropped));
      name.disabled = type.disabled = state.isDropped;
    });
    row.operations = () =>
      state.isDropped ? [{ op: "drop_column", args: { name: column.name } }]
      : [
          ...(type.value !== own ? [{ op: "alter_column", args: { name: column.name, type: type.value } }] : []),
          ...(name.value.trim() !== column.name && name.value.trim() !== "" ? [{ op: "rename_column", args: { name: column.name, to: name.value.trim() } }] : []),
        ];
    return row;
  };
  const dropTable = async (back) => {
    const path = `${facts.url}/-/drop`;
    const { row_count } = await post(path, {});
    me.title.textContent = `Drop the table ${facts.table}?`;
    me.fields.replaceChildren(make("p", { class: "table-alter-review-damaging" }, `${row_count ? `It holds ${plural(Number(row_count.text), "row")}. ` : ""}All of it is gone then. That cannot be undone here.`));
    me.save.textContent = "Drop table";
    me.save.classList.add("danger");
    back.hidden = false;
    me.submit = async () => {
      await post(path, { confirm: true });
      location.assign(facts.database_url);
    };
    me.cancel.focus();
  };
  return async (opener) => {
    const targets = await targetsOf(facts.table);
    const isNew = me === null;
    me ??= frame("table-alter", "Review");
    const back = isNew ? button("table-alter-back", "Back") : me.back;
    if (isNew) {
      me.back = back;
      me.save.after(back);
    }
    const table = make("input", { type: "text", class: "table-alter-table-name", autocapitalize: "off", autocomplete: "off", spellcheck: "false" });
    table.value = facts.table;
    const list = make("ul", { class: "schema-list" }, ...facts.columns.map(existing));
    const add = button("table-alter-add-column", "Add a column");
    const drop = button("table-alter-drop-table danger", "Drop table…");
    const rows = () => [...list.children];
    const parts = [make("p", { class: "schema-name" }, labelled("Name of the table", table)), list, make("p", { class: "button-row schema-buttons" }, ...(rights.alter ? [add] : []), ...(rights.drop ? [drop] : []))];
    add.addEventListener("click", () => {
      const row = columnRow("table-alter", targets, false, (next) => (next && next.schema ? next.schema.name : add).focus());
      list.append(row);
      row.schema.name.focus();
    });
    const operations = (added) => [
      ...rows().filter((row) => row.operations).flatMap((row) => row.operations()),
      ...added.flatMap(({ fk_table, fk_column, ...args }) => [
        { op: "add_column", args },
        ...(fk_table === undefined ? [] : [{ op: "add_foreign_key", args: { column: args.name, fk_table, fk_column } }]),
      ]),
      ...(table.value.trim() !== facts.table && table.value.trim() !== "" ? [{ op: "rename_table", args: { to: table.value.trim() } }] : []),
    ];
    const review = (list) => {
      me.title.textContent = `Change the table ${facts.table}?`;
      me.fields.replaceChildren(make("p", {}, "This is done, in one transaction:"), make("ol", { class: "table-alter-review" },
        ...list.map(({ op, args }) => make("li", { class: op === "drop_column" ? "table-alter-review-damaging" : null }, words[op](args)))));
      me.save.textContent = "Change the table";
      me.save.classList.toggle("danger", list.some(({ op }) => op === "drop_column"));
      back.hidden = false;
      me.submit = async () => {
        const said = await post(`${facts.url}/-/alter`, { operations: list });
        location.assign(new URL(said.table_url).pathname);
      };
      me.save.focus();
    };
    const show = () => {
      me.clear();
      me.title.textContent = `Alter the table ${facts.table}`;
      me.fields.replaceChildren(...parts);
      me.save.textContent = "Review changes";
      me.save.classList.remove("danger");
      back.hidden = true;
      me.submit = async () => {
        const added = readAll(me, rows().filter((row) => row.schema));
        if (!added) return;
        const wanted = operations(added);
        if (wanted.length === 0) return me.fail("Nothing is changed yet.");
        review(wanted);
      };
    };
    back.onclick = () => {
      show();
      table.focus();
    };
    drop.addEventListener("click", () => me.run(() => dropTable(back)));
    me.isDirty = () => rows().some((row) => row.schema || row.operations().length > 0) || table.value !== facts.table;
    show();
    me.open(opener);
    table.focus();
  };
})();

const actions = { "create-table": create, "alter-table": alter };
const taken = "[data-database-action=create-table], [data-table-action=alter-table]";
for (const one of all(taken)) delete one.dataset.href;
document.addEventListener("click", (event) => {
  const one = event.target.closest(taken);
  if (one) actions[one.dataset.databaseAction || one.dataset.tableAction](one).catch((problem) => say(problem.message));
});
