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
