// Tables whose rows stand alone: sorted by a click on a head, filtered by words and by status, saved as CSV.
{
  const RAISED = "⁰¹²³⁴⁵⁶⁷⁸⁹";
  const text = (cell) => (cell.querySelector("b") ?? cell).textContent.trim();
  const valueOf = (cell) => cell.dataset.value ?? text(cell);

  // a number as the page writes it: "−0.25", "41 %", "under 1 %", "2.50×10⁻⁷"; NaN for any other text
  const numberOf = (written) => {
    const plain = written.replace(/^under (\d+) %$/, (_, limit) => `${limit - 0.5} %`)
      .replace(/×10([⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+)/, (_, power) => "e" + power.replace("⁻", "-").replace(/[^-]/g, (d) => RAISED.indexOf(d)))
      .replace(/^−/, "-").replace(/ %$/, "");
    return plain === "" ? NaN : Number(plain);
  };
  const isEmpty = (written) => written === "" || written === "–";

  const sort = (table, place, down) => {
    const body = table.tBodies[0];
    const keyed = [...body.rows].map((row) => [valueOf(row.cells[place]), row]);
    const numeric = keyed.every(([value]) => isEmpty(value) || !Number.isNaN(numberOf(value)));
    const order = (a, b) => numeric ? numberOf(a) - numberOf(b) : a.localeCompare(b, "en", { numeric: true });
    keyed.sort(([a], [b]) => isEmpty(a) || isEmpty(b) ? isEmpty(a) - isEmpty(b) : (down ? order(b, a) : order(a, b)));
    body.append(...keyed.map(([, row]) => row));
  };

  const sortable = (table) => {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, place) => {
      if (!head.textContent.trim()) return;
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const down = head.getAttribute("aria-sort") === "ascending";
        for (const other of heads) other.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        sort(table, place, down);
      });
    });
  };

  // what a spreadsheet would run as a formula gets an apostrophe before it, as in the files of a run
  const csvCell = (value) => {
    const safe = /^[=+\-@\t\r]/.test(value) && Number.isNaN(Number(value)) ? `'${value}` : value;
    return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  };
  const csv = (table) => [...table.rows].filter((row) => !row.hidden)
    .map((row) => [...row.cells].map((cell) => csvCell(cell.dataset.value ?? cell.textContent.trim())).join(",") + "\n")
    .join("");

  const save = (content, name) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([content], { type: "text/csv" }));
    link.download = name.replace(/[^\w.-]+/g, "-") + ".csv";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  };

  const element = (tag, properties, ...inside) => {
    const made = Object.assign(document.createElement(tag), properties);
    made.append(...inside);
    return made;
  };

  const filterable = (table) => {
    const rows = [...table.tBodies[0].rows];
    const words = element("input", { type: "search" });
    const statuses = [...new Set(rows.map((row) => row.dataset.status))];
    const status = element("select", {}, ...["any", ...statuses].map((name) => element("option", { value: name }, name)));
    const button = element("button", { type: "button" });
    const show = () => {
      const wanted = words.value.trim().toLowerCase();
      for (const row of rows) {
        const found = row.textContent.toLowerCase().includes(wanted);
        row.hidden = !found || ![row.dataset.status, "any"].includes(status.value);
      }
      const shown = rows.filter((row) => !row.hidden).length;
      button.textContent = `Download ${shown} ${shown === 1 ? "row" : "rows"} as CSV`;
    };
    words.addEventListener("input", show);
    status.addEventListener("change", show);
    button.addEventListener("click", () => save(csv(table), table.dataset.file));
    show();
    const parts = [element("label", {}, "Filter ", words), element("label", {}, "Status ", status), button];
    table.closest(".scroll").before(element("div", { className: "tools" }, ...parts));
  };

  for (const table of document.querySelectorAll("table.sortable")) sortable(table);
  for (const table of document.querySelectorAll("table[data-file]")) filterable(table);
}
