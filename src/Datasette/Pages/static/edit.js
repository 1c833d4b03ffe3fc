// Forms that insert, edit and delete rows. Only pages on which somebody may write ask for this file; without it their buttons lead to the
// explorer of the JSON interface, whose calls are the ones that are sent here.
const facts = JSON.parse(document.getElementById("edit-forms").dataset.forms);
const { url, keys = [], columns = [], rights } = facts;
const isRowPage = facts.row !== undefined;
const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const make = (tag, attributes = {}, ...children) => {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) if (value !== null) element.setAttribute(name, value);
  element.append(...children);
  return element;
};
const button = (name, label, type = "button") => make("button", { type, class: name }, label);
const later = (milliseconds, action) => {
  let timer;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(action, milliseconds);
  };
};
const plural = (count, noun) => `${count.toLocaleString("en-US")} ${noun}${count === 1 ? "" : "s"}`;
const icon = (path) => `<svg class="icon" viewBox="0 0 16 16" aria-hidden="true"><path d="${path}"/></svg>`;
const pencil = icon("M11.5 1.500l3 3L6 13l-4 1 1-4zM1 15h14v1H1z");
const bin = icon("M6 1h4l.5 1H14v2H2V2h3.500zM3 5h10l-.8 10H3.800zm3 2v6h1V7zm3 0v6h1V7z");

// Keys in addresses.
const tilde = (text) =>
  [...new TextEncoder().encode(text)]
    .map((byte) => (/[A-Za-z0-9_-]/.test(String.fromCharCode(byte)) ? String.fromCharCode(byte) : byte === 32 ? "+" : "~" + byte.toString(16).toUpperCase().padStart(2, "0")))
    .join("");
const readable = (key) => {
  try {
    return key.split(",").map((part) => decodeURIComponent(part.replaceAll("~", "%").replaceAll("+", " "))).join(", ");
  } catch {
    return key;
  }
};

// Numbers stay as they are written: those of JavaScript lose digits beyond 2^53.
class Exact {
  constructor(text) {
    this.text = text;
  }
}
const mark = "\0";
const parse = (text) =>
  JSON.parse(
    text.replace(/"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*/g, (token) => (token[0] === '"' ? token : `{"\\u0000":"${token}"}`)),
    (_, value) => (value !== null && typeof value === "object" && Object.hasOwn(value, mark) ? new Exact(value[mark]) : value),
  );
const write = (value) =>
  value instanceof Exact ? value.text
  : Array.isArray(value) ? `[${value.map(write).join(",")}]`
  : value instanceof Map ? `{${[...value].map(([key, item]) => JSON.stringify(key) + ":" + write(item)).join(",")}}`
  : value !== null && typeof value === "object" ? write(new Map(Object.entries(value)))
  : JSON.stringify(value);
const isBytes = (value) => value !== null && typeof value === "object" && value.$base64 === true;
const same = (one, other) => write(one ?? null) === write(other ?? null);

// A refusal of the server, with what can be done about it.
class Refusal extends Error {
  constructor(status, messages) {
    super(messages.join(". "));
    this.status = status;
    this.messages = messages;
  }
}
const advice = ({ status, message }, isDelete) =>
  status === 0 ? "Nothing is lost here. See whether the server is reachable, then try again."
  : status === 401 || status === 403 ? "You may be signed out, or the right was taken away. Sign in in another tab, then try again."
  : status === 404 ? "Somebody may have deleted it meanwhile. Copy what you want to keep, then load the page again."
  : status === 413 ? "It is more than the server takes at once (max_post_body_bytes)."
  : status === 429 || status === 503 ? "The database is busy. Wait a moment, then try again."
  : /FOREIGN KEY/.test(message) ? (isDelete ? "Other rows refer to this one. Change or delete those first." : "A value refers to a row that does not exist. Choose one that does.")
  : /UNIQUE/.test(message) ? "Another row has this value already. Choose another one."
  : /NOT NULL/.test(message) ? "Give the column a value."
  : /CHECK/.test(message) ? "The table has a rule that this breaks. Its schema is at the end of the table's page."
  : "";
const ask = async (path, options) => {
  let answer, text;
  try {
    // What is read here must be what is stored now; pages may be some seconds old.
    answer = await fetch(path, { cache: "no-store", ...options });
    text = await answer.text();
  } catch {
    throw new Refusal(0, ["The server does not answer"]);
  }
  let said = {};
  try {
    said = parse(text);
  } catch {
    if (answer.ok) throw new Refusal(answer.status, ["The answer cannot be read"]);
  }
  if (!answer.ok || said.ok === false) throw new Refusal(answer.status, said.errors || [said.error || `The server answers ${answer.status}`]);
  return said;
};
const post = (path, body) =>
  ask(path, { method: "POST", headers: { Accept: "application/json", "Content-Type": "application/json" }, body: write(body) });

// What happened, seen and heard.
const status = make("p", { class: "row-mutation-status", role: "status" });
const beside = document.querySelector(".table-toolbar") || document.querySelector(".table-wrapper") || document.querySelector(".page-header");
if (beside) beside[beside.matches(".table-wrapper") ? "before" : "after"](status);
const say = (text) => (status.textContent = text);

// A dialog with a heading, a place for errors, fields and two buttons.
const frame = (name, saveLabel, saveClass = name + "-save") => {
  const title = make("h2", { class: "modal-title", id: name + "-title" });
  const error = make("div", { class: name + "-error message-error", role: "alert", hidden: "" });
  const fields = make("div", { class: name + "-fields modal-fields" });
  const save = button(saveClass + (saveClass === name + "-save" ? " primary" : ""), saveLabel, "submit");
  const cancel = button(name + "-cancel", "Cancel");
  const buttons = make("p", { class: "button-row" }, save, cancel);
  const form = make("form", { novalidate: "" }, title, error, fields, buttons);
  const dialog = make("dialog", { id: name + "-dialog", class: "modal", "aria-labelledby": title.id }, form);
  document.body.append(dialog);
  const me = { title, error, fields, save, cancel, buttons, form, dialog, isBusy: false, isDirty: () => false, submit: null };
  let opener = null;
  let isWarned = false;
  me.clear = () => {
    error.hidden = true;
    error.replaceChildren();
  };
  me.fail = (...lines) => {
    error.hidden = false;
    error.replaceChildren(...lines.filter((line) => line).map((line) => make("p", {}, line)));
    error.scrollIntoView({ block: "nearest" });
  };
  me.open = (from) => {
    opener = from;
    isWarned = false;
    for (const menu of all("details.details-menu[open]")) menu.open = false;
    dialog.showModal();
  };
  // Closes, with the focus where the work went on.
  me.leave = (target) => {
    opener = target || opener;
    dialog.close();
  };
  // Work that takes a while: a second press does nothing, a refusal is told in the dialog.
  me.run = async (work, isDelete = false) => {
    if (me.isBusy) return;
    me.isBusy = true;
    form.setAttribute("aria-busy", "true");
    try {
      await work();
    } catch (problem) {
      if (!(problem instanceof Refusal)) console.error(problem);
      if (!me.refused || !me.refused(problem)) me.fail(...(problem.messages || [problem.message]), advice(problem, isDelete));
    } finally {
      me.isBusy = false;
      form.removeAttribute("aria-busy");
    }
  };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    me.run(async () => {
      me.clear();
      await me.submit();
    }, saveClass === "row-delete-confirm");
  });
  form.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      form.requestSubmit(save);
    }
  });
  cancel.addEventListener("click", () => dialog.close());
  dialog.addEventListener("cancel", (event) => {
    if (event.target !== dialog || isWarned || !me.isDirty()) return;
    event.preventDefault();
    isWarned = true;
    me.fail("What you typed is not saved. Press Escape again to throw it away.");
  });
  dialog.addEventListener("close", () => {
    const target = [opener, opener && opener.closest("details") && opener.closest("details").querySelector("summary"), document.querySelector(".table-insert-row")]
      .find((element) => element && element.isConnected && element.checkVisibility());
    if (target) target.focus();
  });
  return me;
};

// Numbers as people write them, as JSON wants them; null for what is none.
const numeral = (text) => {
  const [found, sign, whole, part, power] = /^([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d+))?$/.exec(text.trim()) || [];
  if (!found || !(whole || part)) return null;
  const written = (sign === "-" ? "-" : "") + (whole.replace(/^0+(?=\d)/, "") || "0") + (part === undefined ? "" : "." + (part || "0")) + (power === undefined ? "" : "e" + power);
  if (/^-?\d+$/.test(written) && BigInt.asIntN(64, BigInt(written)) !== BigInt(written)) {
    throw new Error("This number does not fit: whole numbers go from -9223372036854775808 to 9223372036854775807.");
  }
  if (!Number.isFinite(Number(written))) throw new Error("This number does not fit: it is beyond 1.8e308.");
  return new Exact(written);
};
const isPlainNumber = (column) => /^((tiny|small|medium|big|unsigned ?big ?)?int(eger)?\d?|real|float|double( precision)?)(\s*\(.*\))?$/i.test(column.type.trim());
const isJson = (column) => column.format === "json" || /json/i.test(column.type);
const labels = { number: "Number", text: "Text", auto: "Value", file: "File", empty: "Empty text", null: "NULL" };

// What a column can hold, and what this one holds: text, number, either (auto), file, empty, null, or default, which leaves it to the table.
const kindsOf = (column, value, isNew) => {
  const own = value === null || value === undefined ? null : isBytes(value) ? "file" : value instanceof Exact ? "number" : "text";
  const kinds =
    column.affinity === "TEXT" ? ["text"]
    : column.affinity === "BLOB" ? (column.type === "" ? ["text", "number", "file"] : ["file", "text"])
    : isPlainNumber(column) ? ["number"]
    : ["auto"];
  if (own && !kinds.includes(own) && !(kinds.includes("auto") && own !== "file")) kinds.push(own);
  const first = kinds[0];
  if (kinds.includes("text") || kinds.includes("auto")) kinds.push("empty");
  if (!column.not_null && !(column.pk && column.auto)) kinds.push("null");
  const hasDefault = isNew && (column.auto || column.default !== null);
  if (hasDefault) kinds.unshift("default");
  const start =
    hasDefault ? "default"
    : isNew ? (column.not_null || column.pk ? first : "null")
    : value === null ? "null"
    : value === "" ? "empty"
    : kinds.includes("auto") && own !== "file" ? "auto"
    : own;
  if (!kinds.includes(start)) kinds.push(start);
  return { kinds, start };
};
const note = (column) =>
  [column.type.toLowerCase(), column.format, column.pk ? "key" : null, column.not_null && !column.pk ? "required" : null].filter((part) => part).join(" · ");

// Bytes: how many there are, and a file in their place.
const bytesOf = (column, value) => {
  const input = make("input", { type: "file", id: "field-file-" + column.name });
  const size = make("span", { class: "row-edit-binary-size" });
  const name = make("span", { class: "row-edit-binary-name" });
  const preview = make("div", { class: "row-edit-binary-preview" });
  const element = make("div", { class: "row-edit-binary-control", "data-column": column.name }, make("p", {}, size, " ", name), preview, input);
  const me = { element, input, chosen: undefined, reading: Promise.resolve() };
  const show = (base64, text) => {
    size.textContent = text;
    const type = { iVBORw: "png", "/9j/": "jpeg", R0lGOD: "gif", UklGR: "webp" };
    const found = Object.keys(type).find((start) => base64.startsWith(start));
    preview.replaceChildren();
    if (!found) return;
    const picture = make("img", { src: `data:image/${type[found]};base64,${base64}`, alt: `Picture in ${column.name}` });
    picture.addEventListener("error", () => picture.remove());
    preview.append(picture);
  };
  const length = (base64) => (base64.length / 4) * 3 - (/=*$/.exec(base64)[0].length || 0);
  const take = (file) => {
    name.textContent = file.name;
    me.reading = new Promise((done, failed) => {
      const reader = new FileReader();
      reader.addEventListener("error", () => failed(new Error(`${file.name} cannot be read: ${reader.error.message}`)));
      reader.addEventListener("load", () => {
        const base64 = reader.result.slice(reader.result.indexOf(",") + 1);
        me.chosen = { $base64: true, encoded: file.size === 0 ? "" : base64 };
        show(me.chosen.encoded, plural(file.size, "byte") + " from");
        done();
      });
      reader.readAsDataURL(file);
    });
    me.reading.catch(() => {});
  };
  input.addEventListener("change", () => input.files.length > 0 && take(input.files[0]));
  element.addEventListener("paste", (event) => {
    const file = [...event.clipboardData.files][0];
    if (file) take(file);
  });
  if (isBytes(value)) show(value.encoded, plural(length(value.encoded), "byte") + " now; they stay unless you choose a file");
  else size.textContent = "No file yet";
  return me;
};

// Suggestions of rows that a foreign key can lead to.
const suggest = (column, control, hint) => {
  const list = make("datalist", { id: "choices-" + column.name });
  control.setAttribute("list", list.id);
  control.setAttribute("autocomplete", "off");
  let asked = 0;
  const look = async () => {
    const own = ++asked;
    const text = control.value.trim();
    const query = text === "" ? "_initial=1" : "q=" + encodeURIComponent(text);
    const answer = await ask(`${column.fk.url}/-/autocomplete?${query}`).catch(() => null);
    if (!answer || own !== asked) return;
    const rows = answer.rows.map(({ pks, label }) => {
      const key = pks[column.fk.column];
      return { key: key instanceof Exact ? key.text : String(key), label: label instanceof Exact ? label.text : label };
    });
    list.replaceChildren(...rows.map(({ key, label }) => make("option", { value: key, label: label ? `${label} (${key})` : null })));
    const found = rows.find(({ key }) => key === text);
    hint.textContent = found && found.label ? `→ ${found.label}` : text === "" ? `Refers to ${column.fk.table}` : found ? "" : `No such row in ${column.fk.table} yet`;
  };
  control.addEventListener("input", later(200, look));
  control.addEventListener("focus", look);
  if (control.value !== "") look();
  else hint.textContent = `Refers to ${column.fk.table}`;
  return list;
};

// One column of the form.
const fieldOf = (column, value, isNew) => {
  const { name } = column;
  const id = "field-" + name;
  const { kinds, start } = kindsOf(column, value, isNew);
  const isFixed = column.pk && !isNew;
  const text = value === null || value === undefined || isBytes(value) ? "" : value instanceof Exact ? value.text : value;
  const isLong = !column.fk && (isJson(column) || /[\r\n]/.test(text) || (column.affinity === "TEXT" && !column.pk) || text.length > 60);
  const described = `${id}-note ${id}-hint ${id}-error`;
  const control = make(isLong ? "textarea" : "input", { id, name, class: isJson(column) ? "code" : null, "aria-describedby": described, spellcheck: isLong && !isJson(column) ? null : "false" });
  if (isLong) control.rows = isJson(column) || text.length > 200 || column.format === "textarea" ? 4 : 1;
  else control.type = "text";
  if (!isLong && isPlainNumber(column)) control.inputMode = column.affinity === "INTEGER" ? "numeric" : "decimal";
  if (column.format === "url" || column.format === "email") control.inputMode = column.format;
  control.value = text;
  control.readOnly = isFixed;
  const hint = make("p", { class: "row-edit-hint", id: id + "-hint" });
  const problem = make("p", { class: "row-edit-field-error", id: id + "-error", hidden: "" });
  const label = make("label", { for: id }, name);
  const head = make("p", { class: "row-edit-head" }, label, " ", make("small", { id: id + "-note" }, note(column)));
  const line = make("div", { class: "row-edit-line" }, control);
  const element = make("div", { class: "row-edit-field", "data-column": name }, head, line, hint, problem);
  const state = make("select", { class: "row-edit-state", "aria-label": `What ${name} holds` });
  const count = kinds.filter((kind) => ["text", "number", "auto", "file"].includes(kind)).length;
  const name_of = (kind) => (kind === "default" ? (column.auto ? "Next number" : "Default") : count === 1 && kind !== "empty" && kind !== "null" && kind !== "file" ? "Value" : labels[kind]);
  state.append(...kinds.map((kind) => make("option", { value: kind }, name_of(kind))));
  state.value = start;
  if (kinds.length > 1 && !isFixed) line.append(state);
  const bytes = kinds.includes("file") ? bytesOf(column, value) : null;
  if (bytes) line.prepend(bytes.element);
  if (column.fk && column.fk.url && !isFixed) element.append(suggest(column, control, hint));
  const first = control.value;
  let typed = first;
  const show = () => {
    const isFile = state.value === "file";
    if (bytes) {
      bytes.element.hidden = !isFile;
      bytes.input.toggleAttribute("name", false);
      if (isFile) bytes.input.name = name;
      bytes.input.setAttribute("aria-describedby", described);
    }
    control.hidden = isFile;
    control.toggleAttribute("name", !isFile);
    if (!isFile) control.name = name;
    label.htmlFor = isFile ? bytes.input.id : id;
    const shown = { null: "NULL", empty: "empty text", default: column.auto ? "the next number" : `default: ${column.default}` }[state.value];
    control.placeholder = shown || "";
  };
  const me = { name, element, control, column };
  me.fail = (message) => {
    problem.textContent = message;
    problem.hidden = false;
    for (const input of [control, bytes && bytes.input]) if (input) input.setAttribute("aria-invalid", "true");
  };
  me.clear = () => {
    problem.hidden = true;
    for (const input of [control, bytes && bytes.input]) if (input) input.removeAttribute("aria-invalid");
  };
  me.focus = () => (state.value === "file" ? bytes.input : control).focus();
  state.addEventListener("change", () => {
    if (control.value !== "") typed = control.value;
    control.value = ["null", "empty", "default", "file"].includes(state.value) ? "" : typed;
    me.clear();
    show();
  });
  control.addEventListener("input", () => {
    const usual = kinds.find((kind) => ["text", "number", "auto"].includes(kind));
    if (control.value !== "" && ["null", "empty", "default"].includes(state.value) && usual) state.value = usual;
    else if (control.value === "" && isNew) state.value = start;
    else if (control.value === "" && kinds.includes("empty") && state.value !== "number") state.value = "empty";
    me.clear();
    show();
  });
  show();
  me.isChanged = () => state.value !== start || control.value !== first || (bytes !== null && bytes.chosen !== undefined);
  // The value to store; undefined leaves the column alone.
  me.read = async () => {
    const kind = state.value;
    if (isFixed || kind === "default" || (!isNew && !me.isChanged())) return undefined;
    if (kind === "null") return null;
    if (kind === "empty") return "";
    if (kind === "file") {
      await bytes.reading;
      if (bytes.chosen === undefined && isNew) throw new Error("Choose a file" + (column.not_null ? "." : ", or choose NULL."));
      return bytes.chosen;
    }
    const now = control.value;
    const or = (column.not_null ? "" : ", or choose NULL") + (kinds.includes("empty") ? ", or choose Empty text" : "");
    if (kind === "number" || kind === "auto") {
      const number = numeral(now);
      if (number) return number;
      if (now.trim() === "") throw new Error(`Type a value${or}.`);
      if (kind === "number") throw new Error(`This is no number${or}.`);
    }
    if (now === "") throw new Error(`Type a text${or}.`);
    if (isJson(column)) {
      try {
        JSON.parse(now);
      } catch (wrong) {
        throw new Error(`This is no JSON: ${wrong.message}`);
      }
    }
    // A text area knows one kind of line end; a text that had the other keeps it.
    return /\r\n/.test(text) && !/[^\r]\n/.test(text) ? now.replaceAll("\n", "\r\n") : now;
  };
  return me;
};

// Rows of the page.
const labelOf = (row) => readable(row.dataset.row) + (row.dataset.rowLabel ? ` (${row.dataset.rowLabel})` : "");
const fetchRow = async (key) => {
  const kept = [...new URLSearchParams(location.search)].filter(([name]) => /^_(no)?col$|^_labels$/.test(name));
  const query = new URLSearchParams(key === null ? [...kept, ["_sort_desc", "rowid"], ["_size", "1"]] : [...kept, ["_row", key]]);
  const answer = await fetch(`${url}/-/fragment?${query}`, { cache: "no-store" });
  const page = answer.ok ? new DOMParser().parseFromString(await answer.text(), "text/html") : document.createElement("p");
  const row = page.querySelector("tr[data-row]");
  return row ? document.importNode(row, true) : null;
};
const decorate = (row) => {
  const place = row.cells[0];
  if (!place || isRowPage) return;
  const actions = make("span", { class: "row-inline-actions" });
  for (const [action, verb, picture] of [["edit", "Edit", pencil], ["delete", "Delete", bin]]) {
    if (!rights[action === "edit" ? "update" : "delete"]) continue;
    const one = make("button", { type: "button", class: "row-inline-action", "data-row-action": action, "aria-label": `${verb} row ${labelOf(row)}`, title: verb });
    one.innerHTML = picture;
    actions.append(one);
  }
  if (actions.children.length > 0) place.append(actions);
};
const rowOf = (element) => element.closest("tr[data-row]") || document.querySelector("tr[data-row]");
const countRows = (change) => {
  const text = document.querySelector("h3.count") && document.querySelector("h3.count").firstChild;
  const found = text && /^\s*([\d,]+) rows?\s*$/.exec(text.textContent);
  if (found) text.textContent = plural(Number(found[1].replaceAll(",", "")) + change, "row");
};
const highlight = (row) => {
  for (const other of all(".row-changed")) other.classList.remove("row-changed");
  row.classList.add("row-changed");
};

// Insert and edit.
const editor = (() => {
  let me = null;
  let fields = [];
  let work = null;
  const refused = (problem) => {
    let isPlaced = false;
    for (const message of problem.messages || []) {
      const [, kind, list] = /^(NOT NULL|UNIQUE) constraint failed: (.+)$/.exec(message) || [];
      const named = list ? list.split(", ").map((part) => part.slice(part.indexOf(".") + 1)) : [];
      const [, strict] = /^cannot store \w+ value in \w+ column [^.]+\.(.+)$/.exec(message) || [];
      for (const field of fields) {
        const own = message.startsWith(field.name + ": ") ? message.slice(field.name.length + 2) : named.includes(field.name) || strict === field.name ? message : null;
        if (own === null) continue;
        field.fail(kind === "UNIQUE" ? "Another row has this already. Choose another one." : kind ? "This column must have a value." : own);
        if (!isPlaced) field.focus();
        isPlaced = true;
      }
    }
    return false;
  };
  const build = () => {
    me = frame("row-edit", "Save");
    me.refused = refused;
    me.many = button("row-edit-bulk-insert", "Many rows instead");
    me.cancel.after(me.many);
    me.many.addEventListener("click", () => {
      fields = [];
      me.many.hidden = true;
      me.clear();
      bulk(me, () => me.again());
    });
  };
  const one = () => {
    me.isDirty = () => fields.some((field) => field.isChanged());
    me.submit = async () => {
      const values = new Map();
      const bad = [];
      for (const field of fields) {
        field.clear();
        try {
          const value = await field.read();
          if (value !== undefined) values.set(field.name, value);
        } catch (problem) {
          field.fail(problem.message);
          bad.push(field);
        }
      }
      if (bad.length === 0) return work(values);
      me.fail(`Not saved: ${bad.map((field) => field.name).join(", ")} ${bad.length === 1 ? "needs" : "need"} another value.`);
      bad[0].focus();
    };
  };
  const start = (title, saveLabel, row, isNew, opener) => {
    if (!me) build();
    one();
    me.clear();
    me.many.hidden = !isNew;
    me.again = () => start(title, saveLabel, row, isNew, opener);
    me.title.textContent = title;
    me.save.textContent = saveLabel;
    fields = columns.map((column) => fieldOf(column, row[column.name], isNew));
    me.fields.replaceChildren(...fields.map((field) => field.element));
    if (!me.dialog.open) me.open(opener);
    const first = fields.find((field) => !field.control.readOnly && !(isNew && field.column.auto));
    if (first) first.focus();
  };
  const insert = (opener) => {
    start(`Insert a row into ${facts.table}`, "Insert row", {}, true, opener);
    work = async (values) => {
      const { rows } = await post(`${url}/-/insert`, { row: values, return: true });
      const parts = rows[0] ? keys.map((key) => rows[0][key]) : [undefined];
      const isKnown = parts.every((part) => part !== undefined && part !== null && !isBytes(part));
      const key = isKnown ? parts.map((part) => tilde(part instanceof Exact ? part.text : part)).join(",") : null;
      const row = key !== null || facts.uses_rowid ? await fetchRow(key).catch(() => null) : null;
      const body = document.querySelector(".rows-and-columns tbody");
      me.dialog.close();
      if (!row || !body) return location.reload();
      for (const none of all(".zero-results, .zero-hint")) none.remove();
      decorate(row);
      body.prepend(row);
      highlight(row);
      countRows(1);
      say(`Inserted row ${labelOf(row)}`);
    };
  };
  const edit = async (opener) => {
    const row = rowOf(opener);
    const key = row.dataset.row;
    const load = async () => (await ask(`${url}/${key}.json?_shape=objects`)).rows[0];
    let stored;
    try {
      stored = await load();
    } catch (problem) {
      return say(`Row ${labelOf(row)} cannot be read. ${problem.message}. ${advice(problem)}`);
    }
    start(`Edit row ${labelOf(row)}`, "Save", stored, false, opener);
    work = async (values) => {
      if (values.size === 0) {
        me.dialog.close();
        return say(`Row ${labelOf(row)} is as it was: nothing was changed`);
      }
      // Only what was changed here is sent. What somebody else has changed meanwhile in the same columns is told before it is overwritten.
      const now = await load();
      const changed = [...values.keys()].filter((name) => !same(now[name], stored[name]));
      stored = now;
      if (changed.length > 0) {
        for (const field of fields.filter(({ name }) => changed.includes(name))) {
          const text = now[field.name];
          field.fail(`Somebody has changed this meanwhile: it is now ${isBytes(text) ? "another file" : text === null ? "NULL" : `“${text instanceof Exact ? text.text : text}”`}.`);
        }
        return me.fail("Not saved: the row has changed since you opened it.", "Save again to overwrite that, or cancel.");
      }
      await post(`${url}/${key}/-/update${isRowPage ? "?_message=1" : ""}`, { update: values });
      if (isRowPage) return location.reload();
      const fresh = await fetchRow(key).catch(() => null);
      if (!fresh) return location.reload();
      row.replaceWith(fresh);
      decorate(fresh);
      highlight(fresh);
      me.leave(fresh.querySelector("[data-row-action=edit]"));
      say(`Updated row ${labelOf(fresh)}`);
    };
  };
  return { insert, edit, start, get frame() { return me; } };
})();

// Cells of text with tabs or commas. A cell without anything is null, one with nothing between quotes an empty text.
const split = (text) => {
  const mark = text.split("\n", 1)[0].includes("\t") ? "\t" : ",";
  const lines = [[]];
  const cell = new RegExp(`(?:"((?:[^"]|"")*)"|([^${mark}\\r\\n]*))(${mark}|\\r?\\n|$)`, "y");
  while (cell.lastIndex < text.length) {
    const found = cell.exec(text);
    if (!found) throw new Error(`Line ${lines.length}: a quote is not closed.`);
    lines.at(-1).push(found[1] === undefined ? found[2] || null : found[1].replaceAll('""', '"'));
    if (found[3].endsWith("\n")) lines.push([]);
    else if (found[3] === mark && cell.lastIndex === text.length) lines.at(-1).push(null);
  }
  return lines.filter((line) => line.some((item) => item !== null));
};
// Rows as maps; of text, each has all columns, and every value is a text or null.
const readRows = (text) => {
  if (/^\s*[[{]/.test(text)) {
    let said;
    try {
      said = parse(text);
    } catch (wrong) {
      throw new Error(`This is no JSON: ${wrong.message}`);
    }
    const rows = Array.isArray(said) ? said : Array.isArray(said.rows) ? said.rows : [said];
    if (!rows.every((row) => row !== null && typeof row === "object" && !Array.isArray(row) && !(row instanceof Exact))) throw new Error("JSON must be a list of objects.");
    return { isText: false, rows: rows.map((row) => new Map(Object.entries(row))) };
  }
  const [names = [], ...lines] = split(text);
  const rows = lines.map((line, i) => {
    if (line.length > names.length) throw new Error(`Row ${i + 1} has ${plural(line.length, "value")} for ${plural(names.length, "column")}.`);
    return new Map(names.map((name, n) => [name, line[n] ?? null]));
  });
  return { isText: true, names, rows };
};
const shown = (value) => (value === undefined ? "" : value === null ? "NULL" : value instanceof Exact ? value.text : typeof value === "string" ? value : write(value));
// The first rows, so that somebody sees what will be stored; a head is a text or a list of nodes.
const previewOf = (name, heads, rows, columnNames) =>
  make("table", { class: name },
    make("thead", {}, make("tr", {}, ...heads.map((head) => make("th", { scope: "col" }, ...[head].flat())))),
    make("tbody", {}, ...rows.slice(0, 5).map((row) => make("tr", {}, ...columnNames.map((column) => make("td", {}, shown(row.get(column))))))));

// Many rows at once: pasted, or from a file. They are shown before they are sent.
const bulk = (() => {
  const read = (text) => {
    const { rows, isText } = readRows(text);
    if (!isText) return rows;
    return rows.map((given) => {
      const row = new Map();
      for (const [name, value] of given) {
        const column = columns.find((other) => other.name === name);
        if (!column) row.set(name, value);
        else if (value !== null) row.set(name, column.affinity === "TEXT" || column.affinity === "BLOB" ? value : (numeral(value) ?? value));
        else if (!column.auto && !column.not_null && column.default === null) row.set(name, null);
      }
      return row;
    });
  };
  return (me, single) => {
    const text = make("textarea", { class: "row-edit-bulk-textarea code", id: "bulk-text", rows: "8", spellcheck: "false", "aria-describedby": "bulk-hint" });
    const file = make("input", { type: "file", class: "row-edit-bulk-open-file", accept: ".csv,.tsv,.txt,.json", "aria-label": "Or open a file" });
    const mode = make("select", { class: "row-edit-bulk-conflict-mode", id: "bulk-mode" }, make("option", { value: "" }, "stop"), make("option", { value: "ignore" }, "skip the row"));
    if (rights.update && !facts.uses_rowid) mode.append(make("option", { value: "update" }, "update the stored row"));
    const summary = make("p", { class: "row-edit-bulk-preview-summary", role: "status" });
    const preview = make("div", { class: "row-edit-bulk-preview table-wrapper", tabindex: "0", role: "region", "aria-label": "Preview", hidden: "" });
    const template = button("row-edit-copy-template", "Start with the column names");
    const back = button("row-edit-single-insert", "One row instead");
    let rows = [];
    const show = () => {
      rows = [];
      preview.hidden = true;
      me.clear();
      me.save.textContent = "Insert rows";
      if (text.value.trim() === "") return (summary.textContent = "");
      try {
        const found = read(text.value.trim());
        const names = [...new Set(found.flatMap((row) => [...row.keys()]))];
        const unknown = names.filter((name) => !columns.some((column) => column.name === name));
        if (unknown.length > 0) throw new Error(`${facts.table} has no column ${unknown.join(", ")}. It has ${columns.map(({ name }) => name).join(", ")}.`);
        rows = found;
        preview.replaceChildren(previewOf("row-edit-bulk-preview-table", names, rows, names));
        preview.hidden = rows.length === 0;
        summary.textContent = rows.length === 0 ? "Column names only, no rows yet" : plural(rows.length, "row") + (rows.length > 5 ? "; the first 5:" : ":");
        me.save.textContent = rows.length === 0 ? "Insert rows" : `Insert ${plural(rows.length, "row")}`;
      } catch (wrong) {
        summary.textContent = wrong.message;
      }
    };
    text.addEventListener("input", later(250, show));
    file.addEventListener("change", async () => {
      if (file.files.length === 0) return;
      text.value = await file.files[0].text();
      show();
    });
    template.addEventListener("click", () => {
      text.value = columns.filter((column) => !column.auto).map(({ name }) => name).join("\t") + "\n";
      text.focus();
      show();
    });
    back.addEventListener("click", single);
    me.title.textContent = `Insert rows into ${facts.table}`;
    me.fields.replaceChildren(
      make("div", { class: "row-edit-bulk row-edit-bulk-editor" },
        make("p", { class: "row-edit-head" }, make("label", { for: "bulk-text" }, "Rows"), " ", make("small", { id: "bulk-hint" }, "from a spreadsheet, as CSV with column names in the first line, or as JSON")),
        text,
        make("p", { class: "button-row schema-buttons" }, file, template),
        make("p", { class: "row-edit-bulk-conflict" }, make("label", { for: "bulk-mode" }, "If a row is there already: "), mode),
        summary,
        preview,
        make("p", {}, back)),
    );
    me.isDirty = () => text.value !== "";
    me.submit = async () => {
      show();
      if (rows.length === 0) {
        text.focus();
        return me.fail("Nothing to insert yet.", summary.textContent);
      }
      let done = 0;
      try {
        for (; done < rows.length; done += facts.max_rows) {
          const part = rows.slice(done, done + facts.max_rows);
          await post(`${url}/-/${mode.value === "update" ? "upsert" : "insert"}`, { rows: part, ...(mode.value === "ignore" ? { ignore: true } : {}) });
        }
      } catch (problem) {
        if (done === 0 || !(problem instanceof Refusal)) throw problem;
        text.value = write(rows.slice(done));
        show();
        throw new Refusal(problem.status, [...problem.messages, `The first ${plural(done, "row")} are stored; those left are in the field`]);
      }
      sessionStorage.setItem("datasette-said", `${mode.value === "update" ? "Stored" : mode.value === "ignore" ? "Sent" : "Inserted"} ${plural(rows.length, "row")}`);
      location.reload();
    };
    text.focus();
  };
})();

// Delete, after a question.
const remove = (() => {
  let me = null;
  return (opener) => {
    me ??= frame("row-delete", "Delete row", "row-delete-confirm");
    const row = rowOf(opener);
    me.clear();
    me.title.textContent = `Delete row ${labelOf(row)}?`;
    const heads = all(".rows-and-columns thead th").map((head) => head.dataset.column);
    const pairs = [...row.cells].map((cell, i) => [heads[i], cell.innerText.trim()]).filter(([name, text]) => name && text !== "").slice(0, 6);
    me.fields.replaceChildren(
      make("p", {}, `It is taken out of ${facts.table} at once. That cannot be undone here.`),
      make("dl", { class: "pairs" }, ...pairs.flatMap(([name, text]) => [make("dt", {}, name), make("dd", {}, text.length > 120 ? text.slice(0, 120) + "…" : text)])),
    );
    me.submit = async () => {
      const said = await post(`${url}/${row.dataset.row}/-/delete${isRowPage ? "?_redirect_to_table=1" : ""}`, {});
      if (isRowPage) return location.assign(said.redirect || url);
      const next = row.nextElementSibling || row.previousElementSibling;
      const label = labelOf(row);
      row.remove();
      countRows(-1);
      me.leave(next && next.querySelector("[data-row-action=delete]"));
      say(`Deleted row ${label}`);
    };
    me.open(opener);
    me.cancel.focus();
  };
})();

all(".rows-and-columns tr[data-row]").forEach(decorate);
// What was said before the page was loaded again.
const said = sessionStorage.getItem("datasette-said");
if (said) setTimeout(() => say(said), 100);
sessionStorage.removeItem("datasette-said");
const actions = { "insert-row": editor.insert, edit: editor.edit, delete: remove };
const taken = "[data-table-action=insert-row], [data-row-action=edit], [data-row-action=delete]";
// These buttons need the explorer no more.
for (const one of all(taken)) delete one.dataset.href;
document.addEventListener("click", (event) => {
  const one = event.target.closest(taken);
  if (one) actions[one.dataset.tableAction || one.dataset.rowAction](one);
});
// For the forms that change tables.
window.datasetteForms = { facts, all, make, button, later, plural, post, ask, tilde, frame, say, numeral, isExact: (value) => value instanceof Exact, isBytes, readRows, previewOf };
if (window._datasetteTableData) {
  Object.assign(window._datasetteTableData, {
    ...(rights.insert ? { insertRow: { path: `${url}/-/insert`, primaryKeys: keys, columns } } : {}),
    ...(rights.alter ? { alterTable: { path: `${url}/-/alter` } } : {}),
    foreignKeys: Object.fromEntries(columns.filter(({ fk }) => fk).map(({ name, fk }) => [name, fk])),
  });
}
