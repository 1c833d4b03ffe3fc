// Comfort only: every page works without this file.
(() => {
  "use strict";
  const own = document.currentScript;
  window.datasetteVersion = own ? own.dataset.version : "";
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const make = (tag, attributes = {}, ...children) => {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...children);
    return element;
  };
  const later = (milliseconds, action) => {
    let timer;
    return (...given) => {
      clearTimeout(timer);
      timer = setTimeout(() => action(...given), milliseconds);
    };
  };
  const isTyping = (element) => element.closest("input, textarea, select, [contenteditable]") !== null;

  // Controls that need not be in the address; they are there again when somebody comes back to the page.
  const leaveOut = (controls) => {
    const enabled = controls.filter((control) => !control.disabled);
    for (const control of enabled) control.disabled = true;
    setTimeout(() => {
      for (const control of enabled) control.disabled = false;
    });
  };

  // What changes without a reload is told to screen readers.
  const live = make("p", { class: "visually-hidden", role: "status" });
  document.body.append(live);
  const say = (text) => (live.textContent = text);

  // Menus: a click elsewhere closes them, arrows walk, Escape leaves.
  const menus = "details.details-menu";
  const items = (menu) => all("a[href], button", menu).filter((e) => e.offsetParent !== null);
  const walk = (entries, event) => {
    const at = entries.indexOf(document.activeElement);
    const last = entries.length - 1;
    const next =
      event.key === "Home" ? 0
      : event.key === "End" ? last
      : event.key === "ArrowDown" ? (at < last ? at + 1 : 0)
      : event.key === "ArrowUp" ? (at > 0 ? at - 1 : last)
      : -1;
    if (next < 0 || !entries[next]) return;
    entries[next].focus();
    event.preventDefault();
  };
  document.addEventListener("click", (event) => {
    for (const menu of all(menus + "[open]")) if (!menu.contains(event.target)) menu.open = false;
  });
  document.addEventListener("keydown", (event) => {
    const menu = event.target.closest(menus);
    const open = menu || document.querySelector(menus + "[open]");
    if (event.key === "Escape" && open && open.open) {
      open.open = false;
      open.querySelector("summary").focus();
      event.preventDefault();
    } else if (menu && (menu.open || event.key.startsWith("Arrow"))) {
      if (event.key.startsWith("Arrow")) menu.open = true;
      walk(items(menu), event);
    }
  });
  for (const summary of all(menus + " > summary")) {
    const tell = () => summary.setAttribute("aria-expanded", String(summary.parentElement.open));
    summary.parentElement.addEventListener("toggle", tell);
    tell();
  }

  // What was searched for stays in the box.
  for (const field of all("input[data-value]")) if (!field.value) field.value = field.dataset.value;

  // Buttons that lead to a page of their own.
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-href]");
    if (button) location.href = button.dataset.href;
  });

  // The address of what is on the screen; of SQL that is being typed, the address that would run it.
  const copy = async (text) => {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      // Without https there is no clipboard: the old way, from a field.
      const field = document.body.appendChild(make("textarea", { class: "visually-hidden", "aria-hidden": "true" }));
      field.value = text;
      field.select();
      document.execCommand("copy");
      field.remove();
    }
  };
  for (const button of all("button.copy-link")) {
    button.hidden = false;
    const label = button.textContent;
    const restore = later(2000, () => (button.textContent = label));
    button.addEventListener("click", async () => {
      const form = button.closest("form[method=get]");
      const address = form ? new URL(form.action) : new URL(location.href);
      if (form) address.search = new URLSearchParams(new FormData(form)).toString();
      await copy(address.href);
      button.focus();
      button.textContent = "Copied";
      say("The link is copied");
      restore();
    });
  }

  // Menus at the heads of columns: the same links as in the list of columns.
  const chooser = document.querySelector("column-chooser");
  if (chooser) {
    const panel = chooser.querySelector("details");
    const entries = all("li[data-column]", chooser);
    const { database, table, tableUrl } = chooser.dataset;
    const chosen = (list) => list.map((entry) => entry.dataset.column);
    const box = (entry) => entry.querySelector("input");
    window._datasetteTableData = { database, table, tableUrl };
    window._columnChooserData = {
      allColumns: chosen(entries),
      selectedColumns: chosen(entries.filter((entry) => box(entry).checked)),
      primaryKeys: chosen(entries.filter((entry) => entry.dataset.isPk)),
    };
    const open = (target) => {
      panel.open = true;
      chooser.scrollIntoView({ block: "start" });
      target.focus();
    };
    const menu = make("div", { class: "menu-body column-menu", id: "column-menu", popover: "auto" });
    const note = make("p", { class: "menu-note" });
    const list = make("ul", { role: "menu" });
    menu.append(note, list);
    document.body.append(menu);
    let opener = null;
    const add = (element) => {
      element.setAttribute("role", "menuitem");
      list.append(make("li", { role: "none" }, element));
    };
    const fill = (entry) => {
      const small = entry.querySelector("small").textContent.trim();
      note.textContent = small;
      note.hidden = small === "";
      list.replaceChildren();
      list.setAttribute("aria-label", "Column " + entry.dataset.column);
      for (const link of all(".column-links a", entry)) add(link.cloneNode(true));
      const choose = make("button", { type: "button" }, "Choose columns");
      choose.addEventListener("click", () => {
        opener = null;
        menu.hidePopover();
        open(box(entries.find((other) => !box(other).disabled) || entries[0]));
      });
      add(choose);
      const showAll = chooser.querySelector(".button-row a");
      if (showAll) add(showAll.cloneNode(true));
    };
    const place = (button) => {
      const at = button.getBoundingClientRect();
      const wanted = Math.min(at.left, document.documentElement.clientWidth - menu.offsetWidth - 8);
      const below = at.bottom + 2;
      const fits = below + menu.offsetHeight < window.innerHeight;
      menu.style.left = Math.max(8, wanted) + "px";
      menu.style.top = (fits ? below : Math.max(8, at.top - menu.offsetHeight - 2)) + "px";
    };
    const show = (button, entry, last) => {
      if (opener) opener.setAttribute("aria-expanded", "false");
      opener = button;
      fill(entry);
      menu.showPopover();
      place(button);
      const links = items(menu);
      links[last ? links.length - 1 : 0].focus();
    };
    menu.addEventListener("toggle", (event) => {
      const isOpen = event.newState === "open";
      if (opener) opener.setAttribute("aria-expanded", String(isOpen));
      if (!isOpen && opener && (menu.contains(document.activeElement) || document.activeElement === document.body)) opener.focus();
    });
    menu.addEventListener("keydown", (event) => {
      if (event.key === "Tab" || event.key === "Escape") {
        menu.hidePopover();
        if (opener) opener.focus();
        if (event.key === "Escape") event.preventDefault();
      } else walk(items(menu), event);
    });
    window.addEventListener("scroll", () => menu.matches(":popover-open") && place(opener), { capture: true, passive: true });
    if (menu.showPopover) {
      for (const head of all("th[data-column]")) {
        const entry = entries.find((other) => other.dataset.column === head.dataset.column);
        if (!entry) continue;
        const button = make("button", {
          type: "button",
          class: "col-menu",
          "aria-haspopup": "menu",
          "aria-expanded": "false",
          "aria-label": "Menu of column " + head.dataset.column,
        });
        button.innerHTML = '<svg class="icon" aria-hidden="true"><use href="#i-more"/></svg>';
        // A press outside closes the menu before the click arrives: the second click on its own button must not open it again.
        let wasOpen = false;
        button.addEventListener("pointerdown", () => (wasOpen = opener === button && menu.matches(":popover-open")));
        button.addEventListener("click", () => {
          if (!wasOpen) show(button, entry);
          wasOpen = false;
        });
        button.addEventListener("keydown", (event) => {
          if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
          show(button, entry, event.key === "ArrowUp");
          event.preventDefault();
        });
        (head.firstElementChild || head).append(button);
      }
    }
    // Whoever sorts by the keyboard stays at the column when the page is loaded anew.
    const key = "datasette-column:" + tableUrl;
    const keep = (event, selector, head) => {
      try {
        if (event.detail === 0 && event.target.closest("a")) sessionStorage.setItem(key, JSON.stringify([head.dataset.column, selector]));
      } catch {
        // A browser that keeps nothing begins at the top.
      }
    };
    for (const head of all("th[data-column]")) head.addEventListener("click", (event) => keep(event, "a", head));
    menu.addEventListener("click", (event) => opener && keep(event, "button.col-menu", opener.closest("th")));
    const kept = (() => {
      try {
        const found = JSON.parse(sessionStorage.getItem(key));
        sessionStorage.removeItem(key);
        return found;
      } catch {
        return null;
      }
    })();
    if (kept) {
      const head = all("th[data-column]").find((other) => other.dataset.column === kept[0]);
      const target = head && head.querySelector(kept[1]);
      if (target) target.focus();
    }
    // On a phone there are no heads: two buttons lead to the list.
    for (const [name, target] of [
      [".choose-columns-mobile", () => chooser.querySelector("input:enabled") || chooser.querySelector("summary")],
      [".column-actions-mobile", () => chooser.querySelector(".column-links a")],
    ]) {
      const button = document.querySelector(name);
      if (!button) continue;
      button.hidden = false;
      button.addEventListener("click", () => open(target()));
    }
    // The order is chosen too; what is as it was need not be in the address.
    for (const entry of entries.filter((other) => !other.dataset.isPk)) {
      const move = (step) => () => {
        const other = step < 0 ? entry.previousElementSibling : entry.nextElementSibling;
        if (!other || other.dataset.isPk) return;
        if (step < 0) other.before(entry);
        else other.after(entry);
        say(`${entry.dataset.column} is now number ${[...entry.parentElement.children].indexOf(entry) + 1}`);
      };
      const buttons = make("span", { class: "column-move" });
      for (const [label, sign, step] of [
        ["Move up", "↑", -1],
        ["Move down", "↓", 1],
      ]) {
        const button = make("button", { type: "button", "aria-label": `${label}: ${entry.dataset.column}`, title: label }, sign);
        button.addEventListener("click", () => {
          move(step)();
          button.focus();
        });
        buttons.append(button);
      }
      entry.append(buttons);
    }
    const form = chooser.querySelector("form");
    form.addEventListener("submit", () => {
      const now = all("li[data-column]", form);
      const isSame = now.every((entry, i) => entry === entries[i] && box(entry).checked);
      if (isSame && !form.querySelector(".button-row a")) leaveOut(now.map(box));
    });
  }

  // Filters: rows are added and taken away; the values of facets are offered.
  for (const form of all("form.filters")) {
    const toggle = form.querySelector(".filters-toggle");
    if (toggle) toggle.addEventListener("click", () => toggle.setAttribute("aria-expanded", String(form.classList.toggle("is-open"))));
    const blank = form.querySelector(".filter-row:has([name=_filter_column])");
    let number = all(".filter-row", form).length;
    const offer = (row) => {
      const column = row.querySelector("select");
      const value = row.querySelector(".filter-value");
      const list = make("datalist", { id: "values-" + value.name });
      row.append(list);
      const refresh = () => {
        const facet = column.value && document.querySelector(`.facet-info[data-column="${CSS.escape(column.value)}"]`);
        const values = facet ? all("[data-facet-value]", facet) : [];
        list.replaceChildren(...values.map((link) => make("option", { value: link.dataset.facetValue }, link.textContent)));
        if (values.length) value.setAttribute("list", list.id);
        else value.removeAttribute("list");
      };
      column.addEventListener("change", refresh);
      refresh();
    };
    const removable = (row) => {
      const button = make("button", { type: "button", class: "filter-row-remove", "aria-label": "Remove this filter" }, "✖");
      button.addEventListener("click", () => {
        const before = row.previousElementSibling;
        row.remove();
        (before || form).querySelector("select, input").focus();
      });
      row.append(button);
    };
    for (const row of all(".filter-row", form)) {
      offer(row);
      if (row !== blank) removable(row);
    }
    if (blank) {
      const button = make("button", { type: "button", class: "filter-row-add", "aria-label": "Add another filter" }, "+");
      blank.append(button);
      const empty = blank.cloneNode(true);
      button.addEventListener("click", () => {
        const row = empty.cloneNode(true);
        all("datalist, button", row).forEach((element) => element.remove());
        for (const control of all("[name]", row)) {
          control.name += "_" + number;
          control.setAttribute("aria-label", control.getAttribute("aria-label").replace("New filter", "Filter " + number));
        }
        number++;
        blank.before(row);
        offer(row);
        removable(row);
        row.querySelector("select").focus();
      });
    }
    form.addEventListener("submit", () => {
      const blanks = all(".filter-row", form).filter((row) => row.querySelector("select").value === "");
      leaveOut(blanks.flatMap((row) => all("input, select", row)));
      const sort = all("[name=_sort], [name=_sort_by_desc]", form);
      const isAsFound = sort.every((control) => (control.options ? [...control.options].every((o) => o.selected === o.defaultSelected) : control.checked === control.defaultChecked));
      if (isAsFound && !/[?&]_sort(_desc)?=/.test(location.search)) leaveOut(sort);
      leaveOut(all("[name=_sort], [name=_search]", form).filter((control) => control.value === ""));
    });
  }

  // The exact count, in its place.
  for (const link of all("a.count-sql")) {
    link.addEventListener("click", async (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      const address = new URL(link.href);
      address.pathname += ".json";
      address.searchParams.set("_shape", "arrays");
      link.textContent = "counting…";
      try {
        const answer = await (await fetch(address)).json();
        if (!answer.ok) throw new Error(answer.error);
        const text = answer.rows[0][0].toLocaleString("en-US") + " rows";
        link.parentElement.firstChild.textContent = text;
        link.remove();
        say(text);
      } catch (failure) {
        link.replaceWith(make("small", { class: "count-failed" }, failure.message));
      }
    });
  }

  // The explorer of the JSON interface: sends what its forms say and shows what comes back.
  const explorer = document.querySelector('form[data-tool="api-get"]');
  if (explorer) {
    const poster = document.querySelector('form[data-tool="api-post"]');
    const show = async (path, options) => {
      const problem = document.getElementById("tool-error");
      problem.hidden = true;
      document.getElementById("tool-output").hidden = false;
      const state = document.getElementById("tool-status");
      const answer = document.getElementById("tool-answer");
      try {
        const response = await fetch(path, options);
        const text = await response.text();
        state.textContent = `Answer: ${response.status} ${response.statusText}`;
        try {
          answer.textContent = JSON.stringify(JSON.parse(text), null, 2);
        } catch {
          answer.textContent = text;
        }
      } catch (failure) {
        problem.textContent = String(failure);
        problem.hidden = false;
      }
    };
    const remember = (method, path, json) => {
      const parts = new URLSearchParams(json === undefined ? { method, path } : { path, json, method });
      history.replaceState(null, "", "#" + parts);
    };
    explorer.addEventListener("submit", (event) => {
      event.preventDefault();
      remember("GET", explorer.path.value);
      show(explorer.path.value, { headers: { Accept: "application/json" } });
    });
    poster.addEventListener("submit", (event) => {
      event.preventDefault();
      remember("POST", poster.path.value, poster.json.value);
      const headers = { Accept: "application/json", "Content-Type": "application/json" };
      show(poster.path.value, { method: "POST", headers, body: poster.json.value });
    });
    const fill = () => {
      const parts = new URLSearchParams(location.hash.slice(1));
      const form = parts.get("method") === "POST" ? poster : explorer;
      if (!parts.get("path")) return;
      form.path.value = parts.get("path");
      if (form === poster) form.json.value = parts.get("json") || "";
      form.scrollIntoView();
      form.querySelector("input").focus();
    };
    window.addEventListener("hashchange", fill);
    fill();
  }

  // SQL: colours, completion of names, parameters while typing, layout, Ctrl or Cmd Enter.
  const keywords = (
    "select from where group by having order limit offset join left inner cross on using as and or not in is null like glob between " +
    "exists case when then else end union all except intersect with recursive values distinct asc desc cast over partition filter " +
    "count sum avg min max total group_concat coalesce ifnull iif length lower upper substr trim replace round abs date time datetime " +
    "julianday strftime unixepoch printf json_extract json_each json_array json_object typeof rowid"
  ).split(" ");
  const names = async (base) => {
    const sql =
      "select m.name, group_concat(p.name, char(10)) from sqlite_schema m, pragma_table_info(m.name) p " +
      "where m.type in ('table', 'view') and m.name not like 'sqlite~_%' escape '~' group by m.name";
    const answer = await fetch(`${base}/-/query.json?_shape=arrays&sql=${encodeURIComponent(sql)}`);
    const { rows } = await answer.json();
    return rows.map(([table, columns]) => ({ table, columns: columns.split("\n") }));
  };
  const quoted = (name) => (/^[A-Za-z_]\w*$/.test(name) && !keywords.includes(name.toLowerCase()) ? name : `"${name.replaceAll('"', '""')}"`);
  const tokens = /'(?:''|[^'])*'?|"(?:""|[^"])*"?|`[^`]*`?|\[[^\]]*\]?|--[^\n]*|\/\*[\s\S]*?(?:\*\/|$)|[\p{L}_][\p{L}\p{N}_$]*|[:@$]\w+|\d[\w.]*|<>|<=|>=|!=|==|\|\||->>|->|<<|>>|\S/gu;

  // What can stand where the cursor is: columns of a named table behind a dot, else tables, columns of the tables mentioned, words of SQL.
  const completions = (text, at, tables) => {
    const before = text.slice(0, at);
    const match = /(?:([\p{L}_][\p{L}\p{N}_]*|"[^"]+")\s*\.\s*)?([\p{L}_][\p{L}\p{N}_]*)?$/u.exec(before);
    const [, owner, word = ""] = match;
    const used = before.replace(/--[^\n]*|\/\*[\s\S]*?\*\//g, "");
    if (((used.match(/'/g) || []).length & 1) === 1) return null;
    const mentioned = (text.match(tokens) || []).map((token) => token.replace(/^["[`]|["\]`]$/g, "").toLowerCase());
    const here = tables.filter(({ table }) => mentioned.includes(table.toLowerCase()));
    const found = new Map();
    const add = (label, kind, value) => found.has(label.toLowerCase()) || found.set(label.toLowerCase(), { label, kind, value: value || quoted(label) });
    if (owner) {
      const name = owner.replaceAll('"', "").toLowerCase();
      const at = mentioned.indexOf(name);
      const alias = tables.find(({ table }) => table.toLowerCase() === name) ||
        tables.find(({ table }) => mentioned.some((token, i) =>
          token === table.toLowerCase() && (mentioned[i + 1] === name || (mentioned[i + 1] === "as" && mentioned[i + 2] === name))));
      for (const { table, columns } of alias ? [alias] : at < 0 ? [] : here) for (const column of columns) add(column, table);
    } else {
      for (const { table, columns } of here) for (const column of columns) add(column, table);
      for (const { table } of tables) add(table, "table");
      for (const keyword of keywords) add(keyword, "", keyword);
      if (here.length === 0) for (const { table, columns } of tables) for (const column of columns) add(column, table);
    }
    const typed = word.toLowerCase();
    const starts = [...found.values()].filter(({ label }) => label.toLowerCase().startsWith(typed));
    const within = typed.length < 2 ? [] : [...found.values()].filter(({ label }) => label.toLowerCase().indexOf(typed) > 0);
    const matches = [...starts, ...within].slice(0, 50);
    return matches.length === 1 && matches[0].label.toLowerCase() === typed ? null : { word, matches, isDotted: owner !== undefined };
  };

  const format = (sql) => {
    const heads = /^(select|from|where|group|having|order|limit|union|except|intersect|with|values|window|insert|update|set|delete|returning)$/i;
    const joins = /^(join|left|right|full|inner|outer|cross|natural)$/i;
    const lines = [""];
    const levels = [{ indent: 0, isQuery: true, head: "" }];
    let previous = "";
    const level = () => levels[levels.length - 1];
    const newLine = (extra) => {
      if (lines[lines.length - 1].trim() === "") lines.pop();
      lines.push("  ".repeat(level().indent + extra));
    };
    const write = (token, isTight) => {
      const line = lines[lines.length - 1];
      lines[lines.length - 1] = line + (isTight || line.trim() === "" || /[(.]$/.test(line) ? "" : " ") + token;
    };
    const all = sql.match(tokens) || [];
    all.forEach((token, i) => {
      const word = token.toLowerCase();
      const next = (all[i + 1] || "").toLowerCase();
      const inQuery = level().isQuery;
      if (token === "(") {
        const isQuery = next === "select" || next === "with" || next === "values";
        write("(", /[\p{L}\p{N}_"\]]$/u.test(previous) && !/^(in|as|and|or|not|on|from|join|values|where|exists|over|then|when|else|select)$/i.test(previous));
        const outer = /^ */.exec(lines[lines.length - 1])[0].length / 2;
        levels.push({ indent: outer + 1, outer, isQuery, head: "" });
        if (isQuery) newLine(0);
      } else if (token === ")") {
        const closed = levels.length > 1 ? levels.pop() : {};
        if (closed.isQuery) lines.push("  ".repeat(closed.outer));
        write(")", true);
      } else if (token === "," && inQuery && /^(select|group|order|set|with|values)$/.test(level().head)) {
        write(",", true);
        newLine(level().head === "with" ? 0 : 1);
      } else if (/^[,;.]$/.test(token)) write(token, true);
      else if (inQuery && heads.test(word)) {
        if (lines.join("").trim() !== "") newLine(0);
        level().head = word;
        write(token);
        if (word === "select" && next !== "distinct") newLine(1);
      } else if (inQuery && joins.test(word) && !joins.test(previous)) {
        newLine(0);
        level().head = "join";
        write(token);
      } else if (inQuery && (word === "and" || word === "or") && level().head !== "between") {
        newLine(1);
        write(token);
      } else {
        write(token, previous === ".");
        if (word === "distinct" && level().head === "select") newLine(1);
        if (token.startsWith("--")) newLine(1);
      }
      if (word === "between") level().head = "between";
      else if (word === "and" && level().head === "between") level().head = "where";
      previous = token;
    });
    return lines.filter((line) => line.trim() !== "").map((line) => line.trimEnd()).join("\n");
  };

  // Colours come from a copy of the text that lies under the editor; the editor's own letters are not painted.
  const colour = (editor) => {
    const copy = make("pre", { class: "sql-colours", "aria-hidden": "true" });
    const box = make("div", { class: "sql-box" });
    editor.replaceWith(box);
    box.append(copy, editor);
    const clause = /^(insert|into|update|set|delete|create|table|view|index|alter|add|drop|column|rename|to|primary|key|references|default|unique|returning)$/;
    const kind = (token) =>
      /^['"`[]/.test(token) ? "text"
      : /^(--|\/\*)/.test(token) ? "note"
      : /^[:@$]\w/.test(token) ? "given"
      : /^\d/.test(token) ? "number"
      : keywords.includes(token.toLowerCase()) || clause.test(token.toLowerCase()) ? "word"
      : "";
    const paint = () => {
      const text = editor.value;
      const parts = [];
      let from = 0;
      // A very long text stays in one colour, so that typing stays quick.
      for (const match of text.length < 20_000 ? text.matchAll(tokens) : []) {
        const name = kind(match[0]);
        if (name === "") continue;
        parts.push(text.slice(from, match.index), make("span", { class: "sql-" + name }, match[0]));
        from = match.index + match[0].length;
      }
      copy.replaceChildren(...parts, text.slice(from) + "\n");
      copy.scrollTop = editor.scrollTop;
    };
    editor.addEventListener("input", paint);
    editor.addEventListener("scroll", () => (copy.scrollTop = editor.scrollTop), { passive: true });
    window.addEventListener("pageshow", paint);
    paint();
  };

  for (const editor of all('textarea[name="sql"]')) {
    const form = editor.form;
    colour(editor);
    const base = form.getAttribute("action").split("/-/")[0];
    const list = make("div", { class: "completions", role: "listbox", id: "completions", "aria-label": "Names", hidden: "" });
    document.body.append(list);
    for (const [name, value] of Object.entries({ "aria-autocomplete": "list", "aria-controls": "completions", autocapitalize: "off", autocomplete: "off" })) {
      editor.setAttribute(name, value);
    }
    let tables = [];
    let loading = null;
    let state = null;
    let chosen = -1;
    let isWalked = false;
    let isOurs = false;
    // Whoever may not read the schema still gets the words of SQL.
    const load = () => (loading ??= names(base).then((found) => (tables = found), () => {}));
    // The editor's own undo keeps working.
    const insert = (text) => {
      isOurs = true;
      if (!document.execCommand("insertText", false, text)) editor.setRangeText(text, editor.selectionStart, editor.selectionEnd, "end");
      isOurs = false;
    };
    const close = () => {
      state = null;
      list.hidden = true;
      editor.removeAttribute("aria-activedescendant");
    };
    const choose = (index) => {
      chosen = index;
      [...list.children].forEach((option, i) => option.setAttribute("aria-selected", String(i === index)));
      list.children[index].scrollIntoView({ block: "nearest" });
      editor.setAttribute("aria-activedescendant", list.children[index].id);
    };
    // Where the cursor is on the screen: a copy of the text up to it, laid out as the editor lays it out.
    const caret = () => {
      const style = getComputedStyle(editor);
      const copy = make("div", { "aria-hidden": "true" });
      for (const name of ["font", "lineHeight", "padding", "borderWidth", "borderStyle", "boxSizing", "tabSize", "letterSpacing"]) copy.style[name] = style[name];
      Object.assign(copy.style, { position: "absolute", visibility: "hidden", whiteSpace: "pre-wrap", overflowWrap: "break-word", width: editor.clientWidth + "px" });
      const mark = make("span", {}, "\u200b");
      copy.append(editor.value.slice(0, editor.selectionStart - state.word.length), mark);
      document.body.append(copy);
      const box = editor.getBoundingClientRect();
      const at = { left: box.left + mark.offsetLeft, top: box.top + mark.offsetTop + mark.offsetHeight - editor.scrollTop };
      copy.remove();
      return at;
    };
    const show = () => {
      list.replaceChildren(
        ...state.matches.map(({ label, kind }, i) =>
          make("div", { role: "option", id: "completion-" + i, "data-index": i }, label, " ", make("small", {}, kind))),
      );
      list.hidden = false;
      const at = caret();
      list.style.left = Math.max(8, Math.min(at.left, document.documentElement.clientWidth - list.offsetWidth - 8)) + window.scrollX + "px";
      list.style.top = at.top + 4 + window.scrollY + "px";
      isWalked = false;
      choose(0);
      say(`${state.matches.length} names`);
    };
    const suggest = (isAsked) => {
      state = editor.selectionStart === editor.selectionEnd ? completions(editor.value, editor.selectionStart, tables) : null;
      if (state && state.matches.length > 0 && (isAsked || state.isDotted || state.word.length > 1)) show();
      else close();
    };
    const accept = () => {
      const { word, matches } = state;
      close();
      editor.focus();
      editor.setSelectionRange(editor.selectionStart - word.length, editor.selectionStart);
      insert(matches[chosen].value);
    };
    editor.addEventListener("focus", load);
    editor.addEventListener("input", async (event) => {
      if (isOurs) return;
      await load();
      if (event.inputType !== "insertFromPaste" && editor === document.activeElement) suggest(false);
    });
    editor.addEventListener("blur", () => setTimeout(() => document.activeElement !== editor && close(), 150));
    editor.addEventListener("click", close);
    window.addEventListener("resize", close);
    list.addEventListener("mousedown", (event) => {
      const option = event.target.closest("[role=option]");
      event.preventDefault();
      if (!option) return;
      chosen = Number(option.dataset.index);
      accept();
    });
    editor.addEventListener("keydown", async (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey || event.shiftKey)) {
        event.preventDefault();
        close();
        form.requestSubmit();
      } else if (event.key === " " && event.ctrlKey) {
        event.preventDefault();
        await load();
        suggest(true);
      } else if (state) {
        if (event.key === "ArrowDown" || event.key === "ArrowUp") {
          const count = state.matches.length;
          isWalked = true;
          choose((chosen + (event.key === "ArrowDown" ? 1 : count - 1)) % count);
          event.preventDefault();
        } else if ((event.key === "Tab" && !event.shiftKey) || (event.key === "Enter" && isWalked)) {
          event.preventDefault();
          accept();
        } else if (event.key === "Escape") {
          event.preventDefault();
          close();
        } else if (/^(Enter|Home|End|ArrowLeft|ArrowRight)$/.test(event.key)) close();
      }
    });

    const button = form.querySelector("#sql-format");
    if (button) {
      button.hidden = false;
      button.addEventListener("click", () => {
        editor.focus();
        editor.select();
        const text = format(editor.value);
        insert(text);
        editor.rows = Math.min(24, Math.max(editor.rows, text.split("\n").length + 1));
        close();
      });
    }

    const section = form.querySelector("[data-parameters-url]");
    if (section) {
      const ask = later(300, async () => {
        const answer = await fetch(section.dataset.parametersUrl + "?sql=" + encodeURIComponent(editor.value)).catch(() => null);
        if (!answer || !answer.ok) return;
        const { parameters } = await answer.json();
        const rows = new Map(all(".sql-parameter-row", section).map((row) => [row.querySelector("input").name, row]));
        const now = parameters.map((name, i) => {
          const row = rows.get(name) || make("p", { class: "sql-parameter-row" }, make("label", {}, name),
            make("input", { type: "text", name, "data-parameter-control": "" }));
          row.querySelector("input").id = "qp" + (i + 1);
          row.querySelector("label").htmlFor = "qp" + (i + 1);
          return row;
        });
        if (now.length === rows.size && parameters.every((name) => rows.has(name))) return;
        for (const row of rows.values()) if (!now.includes(row)) row.remove();
        section.append(...now);
        section.hidden = now.length === 0;
        say(now.length === 0 ? "No parameters" : "Parameters: " + parameters.join(", "));
      });
      editor.addEventListener("input", ask);
    }
  }

  // To any database, table or query by a part of its name.
  const jump = document.querySelector("navigation-search");
  if (jump) {
    const storage = "datasette-recent:" + jump.getAttribute("url");
    const recent = () => {
      try {
        return JSON.parse(localStorage.getItem(storage)) || [];
      } catch {
        return [];
      }
    };
    const remember = (item) => {
      try {
        localStorage.setItem(storage, JSON.stringify([item, ...recent().filter((other) => other.url !== item.url)].slice(0, 5)));
      } catch {
        // A browser that keeps nothing has no recent places.
      }
    };
    let dialog = null;
    let current = -1;
    let options = [];
    let input, heading, results, clear;
    const mark = (index) => {
      current = index;
      options.forEach((option, i) => option.setAttribute("aria-selected", String(i === index)));
      if (!options[index]) return input.removeAttribute("aria-activedescendant");
      input.setAttribute("aria-activedescendant", options[index].id);
      options[index].scrollIntoView({ block: "nearest" });
    };
    const show = (title, found, isRecent) => {
      heading.textContent = title;
      options = found.map((item, i) => {
        const option = make("a", { class: "result-item", role: "option", id: "jump-" + i, href: item.url, tabindex: "-1" }, item.name, " ", make("small", {}, item.type));
        option.addEventListener("click", () => remember(item));
        return option;
      });
      results.replaceChildren(...options);
      clear.hidden = !isRecent || found.length === 0;
      mark(found.length > 0 ? 0 : -1);
      say(title);
    };
    let asked = 0;
    const search = async () => {
      const text = input.value.trim();
      const own = ++asked;
      if (text === "" && recent().length > 0) return show("Recent", recent(), true);
      const answer = await fetch(jump.getAttribute("url") + "?q=" + encodeURIComponent(text)).catch(() => null);
      if (own !== asked) return;
      if (!answer || !answer.ok) return show("The server does not answer", [], false);
      const { matches, truncated } = await answer.json();
      const count = matches.length === 0 ? "Nothing found" : matches.length === 1 ? "1 result" : `${truncated ? "The first " : ""}${matches.length} results`;
      show(count, matches, false);
    };
    const build = () => {
      input = make("input", {
        type: "search",
        class: "search-input",
        role: "combobox",
        placeholder: "Database, table or query",
        autocomplete: "off",
        "aria-label": "Jump to",
        "aria-autocomplete": "list",
        "aria-expanded": "true",
        "aria-controls": "jump-results",
      });
      heading = make("p", { class: "results-heading" });
      results = make("div", { role: "listbox", id: "jump-results", "aria-label": "Places" });
      clear = make("button", { type: "button", "data-clear-recent-items": "" }, "Clear recent");
      const leave = make("button", { type: "button", class: "jump-close" }, "Close");
      dialog = make("dialog", { class: "jump", "aria-label": "Jump to" }, make("p", { class: "jump-line" }, input, leave),
        make("div", { class: "results-container" }, heading, results), clear);
      jump.append(dialog);
      input.addEventListener("input", later(150, search));
      leave.addEventListener("click", () => dialog.close());
      clear.addEventListener("click", () => {
        localStorage.removeItem(storage);
        input.focus();
        search();
      });
      dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
      input.addEventListener("keydown", (event) => {
        const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? options.length - 1 : 0;
        if (step && options.length) mark((current + step) % options.length);
        else if (event.key === "Enter" && options[current]) options[current].click();
        else return;
        event.preventDefault();
      });
    };
    const open = () => {
      if (!dialog) build();
      if (dialog.open) return;
      for (const menu of all(menus + "[open]")) menu.open = false;
      input.value = "";
      dialog.showModal();
      input.focus();
      search();
    };
    for (const button of all("button.jump-button")) {
      button.hidden = false;
      button.addEventListener("click", open);
    }
    document.addEventListener("keydown", (event) => {
      if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
      event.preventDefault();
      open();
    });
  }
})();
