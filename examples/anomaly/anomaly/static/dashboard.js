"use strict";

const page = document.body.dataset;
const byId = (id) => document.getElementById(id);
const whole = new Intl.NumberFormat("en");
const PER_PAGE = 15;
const FEED_LENGTH = 30;
const state = { page: 1, pages: 1, lastEvent: Number(page.lastEvent) };

async function getJson(url) {
  const response = await fetch(url, { headers: { accept: "application/json" } });
  const body = await response.json();
  if (!response.ok) throw new Error(body.error.message);
  return body;
}

function element(name, text, className) {
  const node = document.createElement(name);
  if (text !== undefined) node.textContent = text;
  if (className) node.className = className;
  return node;
}

function showStats(stats) {
  byId("model").textContent = stats.model.primary;
  byId("tokens-total").textContent = whole.format(stats.tokens.total);
  byId("predictions-total").textContent = whole.format(stats.predictions.total);
  byId("anomalous").textContent = whole.format(stats.tokens.labels.anomalous);
  byId("suspicious").textContent = whole.format(stats.tokens.labels.suspicious);
  const ratio = stats.cache.hit_ratio;
  byId("hit-ratio").textContent = ratio === null ? "–" : `${(ratio * 100).toFixed(1)}%`;
  charts.histogram(byId("histogram"), stats.distribution);
}

function describe(event) {
  if (event.kind === "verification") {
    return `${event.data.symbol} ${event.data.is_verified ? "verified" : "no longer verified"}`;
  }
  return `token ${event.token_id}: ${event.data.label}, ${Number(event.data.score).toFixed(3)}`;
}

function showEvents(events) {
  const feed = byId("feed");
  if (events.length) feed.querySelector(".empty")?.remove();
  for (const event of events) {
    const item = element("li");
    item.append(element("time", event.created_at.slice(11, 19)), element("span", describe(event)));
    feed.prepend(item);
  }
  while (feed.children.length > FEED_LENGTH) feed.lastElementChild.remove();
}

function showTokens(list) {
  state.pages = Math.max(1, list.pages);
  byId("page").textContent = `${list.page} / ${state.pages} (${whole.format(list.total)})`;
  byId("prev").disabled = list.page <= 1;
  byId("next").disabled = list.page >= state.pages;
  byId("rows").replaceChildren(
    ...list.items.map((token) => {
      const row = element("tr");
      row.dataset.id = token.id;
      row.tabIndex = 0;
      const name = element("td");
      const symbol = element("small");
      symbol.append(element("bdi", token.symbol));
      name.append(element("bdi", token.name), " ", symbol);
      const label = element("td");
      label.append(element("span", token.label ?? "–", `label ${token.label ?? ""}`));
      row.append(
        name,
        element("td", token.chain),
        element("td", token.price_usd ?? "–", "number"),
        element("td", token.score === null ? "–" : token.score.toFixed(3), "number"),
        label,
      );
      return row;
    }),
  );
}

async function loadTokens() {
  const query = new URLSearchParams({ page: state.page, per_page: PER_PAGE, sort: "-score" });
  for (const [name, value] of new FormData(byId("filter"))) if (value) query.set(name, value);
  showTokens(await getJson(`${page.tokensUrl}?${query}`));
}

async function showDetail(id) {
  const [token, history] = await Promise.all([
    getJson(`${page.tokensUrl}/${id}`),
    getJson(`${page.tokensUrl}/${id}/history`),
  ]);
  byId("detail").hidden = false;
  byId("detail-title").textContent = `${token.name} (${token.symbol})`;
  const trend = history.summary.trend;
  byId("detail-text").textContent =
    `${whole.format(token.holders)} holders, ${whole.format(history.total)} predictions, trend ${trend.direction}.`;
  charts.trend(byId("trend"), history.points);
  byId("detail").scrollIntoView({ behavior: "smooth", block: "nearest" });
}

async function refresh() {
  try {
    const [stats, feed] = await Promise.all([
      getJson(page.statsUrl),
      getJson(`${page.eventsUrl}?after=${state.lastEvent}`),
      loadTokens(),
    ]);
    showStats(stats);
    showEvents(feed.events);
    state.lastEvent = feed.last_id;
    byId("dot").classList.remove("off");
    byId("updated").textContent = `updated ${new Date().toLocaleTimeString("en-GB")}`;
  } catch (error) {
    byId("dot").classList.add("off");
    byId("updated").textContent = `no answer: ${error.message}`;
  }
}

function turnPage(by) {
  state.page = Math.min(Math.max(1, state.page + by), state.pages);
  loadTokens();
}

byId("prev").addEventListener("click", () => turnPage(-1));
byId("next").addEventListener("click", () => turnPage(1));
byId("filter").addEventListener("submit", (event) => event.preventDefault());
byId("filter").addEventListener("input", () => {
  state.page = 1;
  loadTokens();
});
for (const kind of ["click", "keydown"]) {
  byId("rows").addEventListener(kind, (event) => {
    if (kind === "keydown" && event.key !== "Enter") return;
    const row = event.target.closest("tr");
    if (row) showDetail(row.dataset.id);
  });
}

charts.histogram(byId("histogram"), JSON.parse(byId("histogram").dataset.buckets));
getJson(`${page.eventsUrl}?limit=${FEED_LENGTH}`).then((feed) => showEvents(feed.events)).catch(() => {});
refresh();
setInterval(() => document.hidden || refresh(), Number(page.refreshS) * 1000);
