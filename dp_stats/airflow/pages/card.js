// The privacy budget on Airflow's home page. Airflow gives React; nothing is built.
(function () {
  const React = globalThis.React;
  const h = React.createElement;
  const colours = { good: "#2f855a", low: "#b7791f", bad: "#c53030" };
  function Budget() {
    const [blocks, setBlocks] = React.useState(null);
    React.useEffect(() => {
      fetch("/budget/summary", { credentials: "same-origin" })
        .then((answer) => (answer.ok ? answer.json() : []))
        .then(setBlocks, () => setBlocks([]));
    }, []);
    if (!blocks || !blocks.length) return null;
    const bar = (b) =>
      h("div", { key: b.dataset, style: { flex: "1 1 260px", minWidth: 220 } },
        h("div", { style: { display: "flex", justifyContent: "space-between", gap: 12, marginBottom: 6 } },
          h("span", null, b.dataset + ", " + b.block),
          h("strong", { style: { color: colours[b.level] } }, "ε " + b.left + " of " + b.cap + " left")),
        h("div", { style: { display: "flex", height: 8, borderRadius: 4, overflow: "hidden", background: "rgba(128,128,128,.22)" } },
          h("div", { style: { width: b.spent_share + "%", background: "#2b6cb0" } }),
          h("div", { style: { width: b.reserved_share + "%", background: "#90cdf4" } })));
    return h("div", { style: { border: "1px solid rgba(128,128,128,.3)", borderRadius: 8, padding: "14px 18px", margin: "8px 0" } },
      h("div", { style: { display: "flex", justifyContent: "space-between", marginBottom: 10 } },
        h("strong", null, "Privacy budget"),
        h("a", { href: "/plugin/privacy-budget", style: { color: "#2b6cb0" } }, "Details")),
      h("div", { style: { display: "flex", flexWrap: "wrap", gap: 24 } }, blocks.map(bar)));
  }
  globalThis["Privacy budget"] = Budget;
  globalThis.AirflowPlugin = Budget;
})();
