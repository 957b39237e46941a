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
  for (const tile of map.querySelectorAll("use")) {
    const title = tile.querySelector("title");
    links.set(tile, title.textContent);
    title.remove();
  }
  map.addEventListener("pointermove", (event) => {
    const words = links.get(event.target);
    tip.hidden = !words;
    if (!words) return;
    tip.textContent = words;
    const room = tip.getBoundingClientRect();
    tip.setAttribute("data-shown", "");
    tip.style.left = Math.min(event.clientX + 14, innerWidth - room.width - 8) + "px";
    tip.style.top = Math.max(8, event.clientY - room.height - 12) + "px";
  });
  map.addEventListener("pointerleave", () => { tip.hidden = true; });
  map.addEventListener("click", (event) => {
    const words = links.get(event.target);
    if (words) location.href = map.dataset.areas + "?q=" + encodeURIComponent(words.slice(0, words.lastIndexOf(":")));
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
