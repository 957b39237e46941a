// Airflow shows our pages in a frame that may not leave itself: a link to a page of Airflow is followed by Airflow's own page.
document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-airflow]");
  if (!link || window.parent === window) return;
  event.preventDefault();
  const outer = window.parent.document.createElement("a");
  outer.href = link.getAttribute("href");
  window.parent.document.body.append(outer);
  outer.click();
  outer.remove();
});
