"use strict";
(function () {
  const content = JSON.parse(document.getElementById("content").textContent);
  const narrow = () => window.innerWidth < 640;
  const config = { responsive: true, displaylogo: false, displayModeBar: narrow() ? false : "hover", modeBarButtonsToRemove: ["lasso2d", "select2d"] };
  const layout = (more) => Object.assign({
    margin: { l: 64, r: 12, t: 36, b: 48 }, font: { family: "system-ui, sans-serif", size: 13 }, hovermode: "closest",
    legend: narrow() ? { orientation: "h", y: 1.02, yanchor: "bottom" } : {},
  }, more);
  const escaped = (text) => String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
  const element = (name, text, parent) => {
    const made = document.createElement(name);
    if (text !== undefined && text !== null) made.textContent = text;
    if (parent) parent.appendChild(made);
    return made;
  };

  // ---- the library that draws, which is packed: figures come after it, everything else is there before

  async function unpacked(id) {
    const bytes = Uint8Array.from(atob(document.getElementById(id).textContent), (letter) => letter.charCodeAt(0));
    return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
  }
  const ready = unpacked("plotly").then((code) => { element("script", code, document.head); });
  ready.catch(() => element("p", "The figures need a browser of 2023 or later.", document.querySelector("header")));

  // ---- the details of one material

  // a figure of one element at a time, the first of them until another is chosen
  function drawChosen(title, what, said, elements, parent, draw) {
    element("h3", title, parent);
    const select = element("select", null, element("label", what, element("p", null, parent)));
    select.className = "element";
    elements.forEach((e, i) => { element("option", e.name, select).value = i; });
    const plot = element("div", null, parent);
    plot.className = "plot";
    plot.setAttribute("role", "img");
    plot.setAttribute("aria-label", said);
    const now = () => draw(plot, elements[select.value]);
    select.addEventListener("change", now);
    now();
  }

  function drawScan(scan, detail, parent, at) {
    const title = scan.title === "intrinsic" ? "Intrinsic response and its parts" : "Extrinsic response";
    drawChosen(title + at, "Element ", scan.title + " response against the Fermi level", scan.elements, parent, (plot, chosen) => {
      const x = detail.fermi, one = x.length === 1, traces = [];
      const lead = chosen.curves[0];
      if (chosen.error && !one) {
        const up = lead.y.map((y, i) => y + (chosen.error[i] || 0)), down = lead.y.map((y, i) => y - (chosen.error[i] || 0));
        traces.push({ x: x.concat(x.slice().reverse()), y: up.concat(down.reverse()), fill: "toself", fillcolor: "rgba(120,120,120,.25)",
          line: { width: 0 }, hoverinfo: "skip", name: "error", mode: "lines" });
      }
      chosen.curves.forEach((c) => traces.push({ x: x, y: c.y, name: c.name, mode: one ? "markers" : "lines",
        line: { color: c.colour, width: c === lead ? 2.5 : 1.5 }, marker: { color: c.colour },
        error_y: one && c === lead && chosen.error ? { type: "data", array: chosen.error } : undefined }));
      const look = layout({
        xaxis: { title: { text: "Fermi level (eV)" } }, yaxis: { automargin: true, title: { standoff: 8, text: "α<sub>" + chosen.name + "</sub> (" + escaped(scan.unit) + ")" } },
        shapes: [{ type: "line", x0: detail.level, x1: detail.level, yref: "paper", y0: 0, y1: 1, line: { color: "#999", width: 1, dash: "dot" } }],
      });
      ready.then(() => Plotly.react(plot, traces, look, config));
    });
  }

  function drawShares(shares, detail, parent, at) {
    if (!shares || !shares.bars.length) return;
    const place = " at " + detail.level.toFixed(4) + " eV" + at.replace(" at", " and");
    drawChosen("Shares by " + shares.by + place, "Quantity ", "shares by " + shares.by, shares.bars, parent, (plot, chosen) => {
      const bars = { x: shares.parts, y: chosen.y, type: "bar", marker: { color: "#0072b2" }, error_y: { type: "data", array: chosen.error } };
      const look = layout({
        xaxis: { type: "category", automargin: true }, yaxis: { automargin: true, title: { standoff: 8, text: escaped(chosen.unit) } },
        title: { text: "in all " + escaped(chosen.whole + " " + chosen.unit), font: { size: 13 } },
      });
      ready.then(() => Plotly.react(plot, [bars], look, config));
    });
  }

  function drawTensors(state, parent) {
    (state.tensors || []).forEach((t) => {
      const table = element("table", null, parent);
      element("caption", t.name + " (" + t.unit + ")", table);
      const head = element("tr", null, element("thead", null, table));
      element("th", t.corner, head).scope = "col";
      t.columns.forEach((axis) => { element("th", axis, head).scope = "col"; });
      const body = element("tbody", null, table);
      t.rows.forEach((r) => {
        const line = element("tr", null, body);
        element("th", r.first, line).scope = "row";
        r.cells.forEach((cell) => element("td", cell === null ? "–" : cell, line));
      });
    });
  }

  function drawMap(detail, parent) {
    if (!detail.kmap) return;
    element("h3", "Where in k space it comes from: " + detail.kmap.title, parent);
    const plot = element("div", null, parent);
    plot.className = "plot";
    plot.setAttribute("role", "img");
    plot.setAttribute("aria-label", "Map of k space");
    ready.then(() => Plotly.newPlot(plot, [{ type: "heatmap", x: detail.kmap.x, y: detail.kmap.x, z: detail.kmap.z, colorscale: "RdBu", zmid: 0 }],
      layout({ xaxis: { title: { text: "k<sub>1</sub> (reciprocal vectors)" }, constrain: "domain" },
        yaxis: { title: { text: "k<sub>2</sub>" }, scaleanchor: "x", constrain: "domain" } }), config));
  }

  function drawAbout(detail, parent) {
    element("h3", "Settings and provenance", parent);
    const list = element("dl", null, parent);
    detail.facts.forEach((fact) => { element("dt", fact[0].replace(/_/g, " "), list); element("dd", fact[1], list); });
    if (detail.symmetry.length) {
      element("h3", "Symmetries", parent);
      element("p", detail.symmetry.join("; "), parent);
    }
    if (detail.cite.length) {
      element("h3", "To cite", parent);
      const works = element("ul", null, parent);
      detail.cite.forEach((work) => element("li", work, works));
    }
  }

  function show(number, focus) {
    const detail = content.details[number];
    if (!detail) return;
    document.getElementById("h-detail").textContent = detail.name;
    const parts = ["scans", "tensors", "kmap", "about"].map((id) => document.getElementById(id));
    parts[0].querySelectorAll(".plot").forEach((p) => ready.then(() => Plotly.purge(p)));
    parts.forEach((p) => p.replaceChildren());
    if (detail.fermi) {
      detail.states.forEach((state) => {
        const at = state.temperature === null ? "" : " at " + state.temperature + " K";
        state.scans.forEach((scan) => drawScan(scan, detail, parts[0], at));
        drawShares(state.shares, detail, parts[0], at);
      });
      detail.states.forEach((state) => {
        const group = element("div", null, parts[1]);
        element("h3", "At " + detail.level.toFixed(4) + " eV" + (state.temperature === null ? "" : " and " + state.temperature + " K"), group);
        drawTensors(state, group);
      });
      detail.forbidden.forEach((line) => element("p", "–: " + line, parts[1]));
      drawMap(detail, parts[2]);
    } else {
      element("p", "Not integrated: all responses vanish by symmetry.", parts[0]);
    }
    drawAbout(detail, parts[3]);
    document.querySelectorAll("button.pick").forEach((b) => {
      const on = Number(b.dataset.detail) === number;
      b.setAttribute("aria-pressed", on ? "true" : "false");
      b.closest("tr").classList.toggle("chosen", on);
    });
    if (focus) {
      const section = document.getElementById("detail");
      section.focus({ preventScroll: true });
      section.scrollIntoView({ block: "start" });
    }
  }

  // ---- the table

  const table = document.getElementById("ranked");
  if (table) {
    const body = table.tBodies[0], heads = Array.from(table.tHead.rows[0].cells);
    const value = (row, column) => {
      const text = row.cells[column].dataset.value;
      return text === "" || isNaN(text) ? text : Number(text);
    };
    const compare = (a, b) => typeof a === typeof b ? (typeof a === "number" ? a - b : a.localeCompare(b)) : typeof a === "number" ? -1 : 1;
    heads.forEach((head, column) => head.querySelector("button").addEventListener("click", () => {
      const numeric = Array.from(body.rows).some((row) => typeof value(row, column) === "number");
      const before = head.getAttribute("aria-sort");
      const down = before === "none" ? numeric && column > 0 : before === "ascending";
      heads.forEach((h) => h.setAttribute("aria-sort", "none"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const rows = Array.from(body.rows).sort((a, b) => {
        const x = value(a, column), y = value(b, column);
        if ((x === "") !== (y === "")) return x === "" ? 1 : -1; // what is not known comes last
        return down ? compare(y, x) : compare(x, y);
      });
      body.append(...rows);
    }));
    body.addEventListener("click", (event) => {
      const button = event.target.closest("button.pick");
      if (button) show(Number(button.dataset.detail), true);
    });
    const filter = document.getElementById("filter"), count = document.getElementById("count");
    const apply = () => {
      const wanted = filter.value.toLowerCase();
      let shown = 0;
      Array.from(body.rows).forEach((row) => {
        row.hidden = !row.cells[1].dataset.value.toLowerCase().includes(wanted);
        shown += row.hidden ? 0 : 1;
      });
      count.textContent = shown + " of " + body.rows.length;
    };
    filter.addEventListener("input", apply);
    apply();
    if (document.getElementById("scatter")) drawScatter();
  }

  function drawScatter() {
    const plot = document.getElementById("scatter"), which = document.getElementById("which");
    const draw = () => {
      const traces = [[2, "layers", "circle", "y", "A m/V"], [3, "crystals", "diamond", "y2", "A/V"]].map((kind) => {
        const rows = content.rows.filter((r) => r.dimension === kind[0] && r.metric !== null && r[which.value] > 0);
        const unit = rows.length && rows[0].response_unit || kind[4];
        return { x: rows.map((r) => r.metric), y: rows.map((r) => r[which.value]), text: rows.map((r) => escaped(r.name)), customdata: rows.map((r) => r.detail),
          mode: "markers", type: "scatter", name: kind[1] + " (" + escaped(unit) + ")", marker: { symbol: rows.map((r) => kind[2] + (r[which.value + "_error"] >= r[which.value] ? "-open" : "")), size: 9, opacity: .8 }, yaxis: kind[3],
          hovertemplate: "%{text}<br>metric %{x:.4g}<br>%{y:.4g}<extra></extra>" };
      }).filter((t) => t.x.length);
      if (traces.length === 1) traces[0].yaxis = "y";
      const axis = (text, trace) => {
        const decades = trace ? Math.log10(Math.max(...trace.y)) - Math.log10(Math.min(...trace.y)) : 1;
        return { type: "log", automargin: true, title: { text: text, standoff: 8 }, exponentformat: "power", dtick: Math.max(1, Math.ceil(decades / 5)) };
      };
      const named = traces.map((t) => which.selectedOptions[0].textContent + ", " + t.name);
      const more = { xaxis: { title: { text: "integrated quantum metric" } }, yaxis: axis(named[0] || "", traces[0]), showlegend: traces.length > 1 };
      if (traces.length > 1) Object.assign(more, { yaxis2: Object.assign(axis(named[1], traces[1]), { overlaying: "y", side: "right", showgrid: false }), margin: { l: 72, r: 80, t: 36, b: 48 },
        legend: { orientation: "h", y: 1.02, yanchor: "bottom" } });
      ready.then(() => Plotly.react(plot, traces, layout(more), config));
    };
    which.addEventListener("change", draw);
    draw();
    ready.then(() => plot.on("plotly_click", (event) => { if (event.points[0].customdata !== null) show(event.points[0].customdata, true); }));
  }

  if (content.details.length) show(0, false); else document.getElementById("detail").hidden = true;
})();
