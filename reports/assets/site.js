// Nothing here is needed to read the site: it only filters and sorts tables, shows a map's values at once, and copies text.
"use strict";

function plain(text) {
  return text.toLowerCase().normalize("NFD").replace(/[\u0300-\u036f]/g, "");
}

// A search field above a long table.
for (const form of document.querySelectorAll("form[data-filters]")) {
  const items = [...document.querySelectorAll(form.dataset.filters)].map((item) => [item, plain(item.textContent)]);
  const input = form.querySelector("input");
  const found = form.parentElement.querySelector(".found");
  const words = found.dataset;
  const filter = () => {
    const wanted = plain(input.value.trim()).split(/\s+/);
    let count = 0;
    for (const [item, text] of items) {
      item.hidden = !wanted.every((word) => text.includes(word));
      count += item.hidden ? 0 : 1;
    }
    found.textContent = input.value.trim() ? words.shown.replace("{count}", count).replace("{all}", items.length) : "";
  };
  form.hidden = false;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const left = items.filter(([item]) => !item.hidden);
    const link = left.length === 1 && left[0][0].querySelector("a");
    if (link) location.href = link.href;
  });
  input.addEventListener("input", filter);
  const asked = new URLSearchParams(location.search).get("q");
  if (asked) {
    input.value = asked;
  }
  if (input.value) filter();
}

// What is searched for goes behind the #, which no server is sent: it may be a postcode.
for (const form of document.querySelectorAll("form.find[action]")) {
  form.hidden = false;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    location.href = form.action + "#q=" + encodeURIComponent(form.querySelector("input").value.trim());
  });
}

// Tables sort by their headers.
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") !== "descending" && head.classList.contains("n");
      const direction = head.getAttribute("aria-sort") === "ascending" || down ? -1 : 1;
      for (const other of head.parentElement.cells) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", direction < 0 ? "descending" : "ascending");
      const key = (row) => {
        const text = row.cells[column] ? row.cells[column].textContent.trim() : "";
        const number = parseFloat(text.replace(/,/g, "").replace("\u2212", "-"));
        return head.classList.contains("n") ? (Number.isNaN(number) ? -Infinity : number) : plain(text);
      };
      const rows = [...body.rows].map((row) => [key(row), row]);
      rows.sort(([a], [b]) => (a < b ? -direction : a > b ? direction : 0));
      body.append(...rows.map(([, row]) => row));
    });
  });
}

// A map's tile shows its value where the pointer is, and leads to the area's page.
for (const map of document.querySelectorAll("svg.tiles[data-areas]")) {
  const links = new Map();
  map.classList.add("js");
  const tip = document.createElement("div");
  tip.className = "tip";
  tip.hidden = true;
  document.body.append(tip);
  for (const tile of map.querySelectorAll("use, path[data-at]")) {
    const title = tile.querySelector("title");
    links.set(tile, title.textContent);
    title.remove();
  }
  const show = (tile, x, y) => {
    tip.hidden = false;
    tip.textContent = links.get(tile);
    const room = tip.getBoundingClientRect();
    tip.setAttribute("data-shown", "");
    tip.style.left = Math.max(8, Math.min(x + 14, innerWidth - room.width - 8)) + "px";
    tip.style.top = Math.max(8, y - room.height - 12) + "px";
  };
  const beside = (tile) => {
    const box = tile.getBoundingClientRect();
    show(tile, box.right, box.top);
  };
  const open = (tile) => {
    const words = links.get(tile);
    location.href = map.dataset.areas + "?q=" + encodeURIComponent(words.slice(0, words.lastIndexOf(":")));
  };
  // With the keyboard: one stop for the map, then left and right go through every tile row by row, up and down to the next row.
  const at = (tile) => (tile.dataset.at ? tile.dataset.at.split(" ").map(Number) : [Number(tile.getAttribute("x")), Number(tile.getAttribute("y"))]);
  const order = [...links.keys()].sort((a, b) => at(a)[1] - at(b)[1] || at(a)[0] - at(b)[0]);
  map.setAttribute("role", "group");
  for (const tile of order) {
    tile.setAttribute("role", "link");
    tile.setAttribute("aria-label", links.get(tile));
    tile.setAttribute("tabindex", tile === order[0] ? "0" : "-1");
    tile.addEventListener("focus", () => beside(tile));
    tile.addEventListener("blur", () => { tip.hidden = true; });
  }
  addEventListener("scroll", () => { if (links.has(document.activeElement)) beside(document.activeElement); }, { passive: true });
  const above = (tile, down) => {
    const [x, y] = at(tile);
    const rows = order.map((other) => at(other)[1]).filter((row) => (down ? row > y : row < y));
    if (!rows.length) return undefined;
    const row = down ? Math.min(...rows) : Math.max(...rows);
    const far = (other) => Math.abs(at(other)[0] - x);
    return order.filter((other) => at(other)[1] === row).reduce((a, b) => (far(b) < far(a) ? b : a));
  };
  map.addEventListener("keydown", (event) => {
    const tile = event.target;
    const place = order.indexOf(tile);
    if (place < 0) return;
    if (event.key === "Enter") return open(tile);
    if (event.key === "Escape") { tip.hidden = true; return; }
    const next = {
      ArrowRight: () => order[place + 1], ArrowLeft: () => order[place - 1], Home: () => order[0],
      End: () => order[order.length - 1], ArrowDown: () => above(tile, true), ArrowUp: () => above(tile, false),
    }[event.key];
    if (!next) return;
    event.preventDefault();
    const other = next();
    if (!other) return;
    tile.setAttribute("tabindex", "-1");
    other.setAttribute("tabindex", "0");
    other.focus();
  });
  map.addEventListener("pointermove", (event) => {
    const words = links.get(event.target);
    tip.hidden = !words;
    if (words) show(event.target, event.clientX, event.clientY);
  });
  map.addEventListener("pointerleave", () => { tip.hidden = true; });
  map.addEventListener("click", (event) => {
    if (links.has(event.target)) open(event.target);
  });
}

// Buttons that copy the citation or code before them.
if (navigator.clipboard) {
  for (const target of document.querySelectorAll("[data-copy]")) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "copy";
    button.textContent = target.dataset.copy;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(target.textContent.trim());
      button.textContent = target.dataset.copied;
    });
    target.after(button);
  }
}
