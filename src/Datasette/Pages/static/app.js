// Comfort only: every page works without this file.
(() => {
  "use strict";
  const menus = "details.details-menu";
  const items = (menu) => [...menu.querySelectorAll("a[href], button")].filter((e) => e.offsetParent !== null);

  document.addEventListener("click", (event) => {
    for (const menu of document.querySelectorAll(menus + "[open]")) {
      if (!menu.contains(event.target)) menu.open = false;
    }
  });

  document.addEventListener("keydown", (event) => {
    const target = event.target;
    const menu = target.closest(menus) || document.querySelector(menus + "[open]");
    if (event.key === "Escape" && menu && menu.open) {
      menu.open = false;
      menu.querySelector("summary").focus();
      event.preventDefault();
      return;
    }
    if ((event.key === "ArrowDown" || event.key === "ArrowUp") && target.closest(menus)) {
      menu.open = true;
      const all = items(menu).filter((e) => e.tagName !== "SUMMARY");
      const step = event.key === "ArrowDown" ? 1 : -1;
      const at = all.indexOf(target);
      const next = at < 0 ? (step > 0 ? 0 : all.length - 1) : (at + step + all.length) % all.length;
      if (all[next]) all[next].focus();
      event.preventDefault();
      return;
    }
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey || event.shiftKey) && target.id === "sql-editor") {
      target.form.requestSubmit();
      event.preventDefault();
      return;
    }
    const typing = target.closest("input, textarea, select, [contenteditable]");
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
      const field = document.querySelector("#_search, #sql-editor, .filters select");
      if (field) {
        field.focus();
        event.preventDefault();
      }
    }
  });

  for (const summary of document.querySelectorAll(menus + " > summary")) {
    const menu = summary.parentElement;
    const tell = () => summary.setAttribute("aria-expanded", String(menu.open));
    menu.addEventListener("toggle", tell);
    tell();
  }

  // What was searched for stays in the box.
  for (const field of document.querySelectorAll("input[data-value]")) {
    if (!field.value) field.value = field.dataset.value;
  }

  // Buttons that lead to a page of their own.
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-href]");
    if (button) location.href = button.dataset.href;
  });

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

  // Blank filter rows need not be in the address.
  for (const form of document.querySelectorAll("form.filters")) {
    form.addEventListener("submit", () => {
      for (const row of form.querySelectorAll(".filter-row")) {
        const column = row.querySelector("select");
        if (column && column.value === "" && column.name === "_filter_column") {
          for (const control of row.querySelectorAll("input, select")) control.disabled = true;
        }
      }
      const sort = form.querySelector("[name=_sort]");
      const search = form.querySelector("[name=_search]");
      for (const control of [sort, search]) if (control && control.value === "") control.disabled = true;
    });
  }
})();
