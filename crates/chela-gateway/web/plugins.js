// The plugins view: what every plugin does at this moment.

import { $, bytes, duration, h, reconcile } from './ui.js';

const EVERY = 3000;
const TROUBLE = ['backoff', 'quarantined', 'error'];
const PLACES = { global: 'installed', bundled: 'built in', workspace: 'workspace', config: 'from the config' };

/** Shows plugins while it is visible; counts them otherwise. */
export class PluginsView {
  constructor(gateway) {
    this.gateway = gateway;
    this.filter = '';
    this.box = $('plugins-view');
    this.build();
    setInterval(() => { if (this.visible && !document.hidden) this.load(); }, EVERY);
  }

  build() {
    const find = h('input', { type: 'search', placeholder: 'Filter', 'aria-label': 'Filter plugins', oninput: (event) => { this.filter = event.target.value.toLowerCase(); this.show(); } });
    this.summary = h('span.hint', { id: 'plugin-summary' });
    this.list = h('div.plugin-list', { id: 'plugin-list' });
    this.problem = h('div.problem', { hidden: true, role: 'alert' });
    this.back = h('button.icon', { 'aria-label': 'Back to the conversation' }, '←');
    this.box.append(
      h('header.top', this.back, h('h1', 'Plugins'), this.summary, find),
      h('div.scroller', this.problem, this.list));
  }

  open() {
    this.visible = true;
    this.load();
  }

  close() { this.visible = false; }

  async load() {
    if (!this.gateway.connected || this.loading) return;
    this.loading = true;
    try {
      const answer = await this.gateway.call('plugins.list');
      this.plugins = answer.plugins ?? [];
      this.problem.hidden = true;
      this.show();
    } catch (error) {
      this.problem.hidden = false;
      this.problem.textContent = `The plugins could not be listed: ${error.message}`;
    }
    this.loading = false;
  }

  show() {
    const plugins = this.plugins ?? [];
    const bad = plugins.filter(troubled).length;
    $('plugin-count').textContent = plugins.length ? (bad ? `${bad} in trouble` : `${plugins.filter((p) => p.enabled !== false).length} on`) : '';
    $('plugin-count').classList.toggle('bad', bad > 0);
    const running = plugins.filter((p) => p.state === 'running').length;
    this.summary.textContent = `${plugins.length} known, ${running} running${bad ? `, ${bad} in trouble` : ''}`;
    if (!this.visible) return;
    const fits = (p) => !this.filter || `${p.id} ${p.name ?? ''} ${p.state}`.toLowerCase().includes(this.filter);
    const rank = (p) => (troubled(p) ? 0 : p.state === 'running' ? 1 : p.enabled === false ? 3 : 2);
    const shown = plugins.filter(fits).sort((a, b) => rank(a) - rank(b) || (a.name ?? a.id).localeCompare(b.name ?? b.id));
    const items = shown.map((p) => ({ key: p.id, build: () => buildRow(p.id) }));
    if (!items.length) items.push({ key: '-none', build: () => h('p.hint', 'No plugin here') });
    reconcile(this.list, items);
    for (const plugin of shown) fillRow(this.list.keyed.get(plugin.id), plugin);
  }
}

const troubled = (plugin) => TROUBLE.includes(plugin.state) || (plugin.diagnostics ?? []).some((d) => d.level === 'error');

function buildRow(id) {
  return h('details.plugin', { 'data-plugin': id },
    h('summary',
      h('span.plugin-state'),
      h('span.plugin-name'),
      h('span.plugin-facts')),
    h('div.plugin-body'));
}

function fillRow(row, plugin) {
  const stamp = JSON.stringify(plugin) + Math.floor(Date.now() / 10_000);
  if (row.stamp === stamp) return;
  row.stamp = stamp;
  const [state, name, facts] = row.querySelector('summary').children;
  state.textContent = plugin.state ?? 'unknown';
  row.dataset.state = plugin.state ?? 'unknown';
  name.replaceChildren(h('strong', plugin.name || plugin.id), h('span.hint', ` ${plugin.id}${plugin.version ? ` ${plugin.version}` : ''}`));
  facts.textContent = briefly(plugin);
  row.querySelector('.plugin-body').replaceChildren(...details(plugin));
}

function briefly(p) {
  const facts = [];
  if (p.rssBytes) facts.push(bytes(p.rssBytes));
  if (p.calls) facts.push(`${p.calls} call${p.calls === 1 ? '' : 's'}`);
  if (p.errors) facts.push(`${p.errors} error${p.errors === 1 ? '' : 's'}`);
  if (p.restarts) facts.push(`${p.restarts} restart${p.restarts === 1 ? '' : 's'}`);
  return facts.join(' · ');
}

const asText = (value) => (typeof value === 'string' ? value : JSON.stringify(value));

function details(p) {
  const facts = [
    ['Why', p.reason],
    ['Comes from', p.origin && (PLACES[p.origin] ?? p.origin)],
    ['Runs in', p.lane],
    ['Process', p.pid],
    ['Up', p.startedAtMs && p.state === 'running' ? duration(Date.now() - p.startedAtMs) : null],
    ['Memory', p.rssBytes && bytes(p.rssBytes)],
    ['Calls', p.calls ?? null],
    ['Errors', p.errors || null],
    ['Restarts', p.restarts || null],
    ['Last error', p.lastError && asText(p.lastError)],
    ['Last exit', p.lastExit && asText(p.lastExit)],
    ['Environment withheld', p.withheldEnv?.length ? p.withheldEnv.map(asText).join(', ') : null],
  ];
  const nodes = (p.diagnostics ?? []).map((d) => h('p', { class: `diagnostic ${d.level}` }, `${d.level}: ${d.message}`));
  const known = facts.filter(([, value]) => value !== null && value !== undefined && value !== '');
  nodes.push(h('dl', known.map(([label, value]) => [h('dt', label), h('dd', String(value))])));
  nodes.push(...registered(p.registered ?? {}));
  if (p.recordedOnly?.length) {
    nodes.push(h('h4', 'Recorded, not served by this version'), h('ul.chips', p.recordedOnly.map((item) => h('li', item.id ? `${item.method} ${item.id}` : item.method))));
  }
  if (p.hookStats?.length) nodes.push(h('h4', 'Hooks'), hookTable(p.hookStats));
  return nodes;
}

function registered(what) {
  const rows = [['Tools', what.tools], ['Hooks', what.hooks], ['Commands', what.commands], ['Services', what.services], ['Methods', what.methods]]
    .filter(([, names]) => names?.length)
    .map(([label, names]) => [h('dt', label), h('dd', h('ul.chips', names.map((name) => h('li', asText(name)))))]);
  if (what.routes) rows.push([h('dt', 'Routes'), h('dd', String(what.routes))]);
  return rows.length ? [h('h4', 'Registered'), h('dl', rows)] : [];
}

function hookTable(stats) {
  const head = ['Hook', 'Calls', 'Failures', 'Timeouts', 'Average', 'Longest', 'Last error'];
  const ms = (value) => (value === undefined || value === null ? '' : `${Math.round(value * 10) / 10} ms`);
  const row = (s) => h('tr', [s.hook, s.calls, s.failures, s.timeouts, ms(s.avgMs), ms(s.maxMs), s.lastError ? asText(s.lastError) : ''].map((cell) => h('td', String(cell ?? ''))));
  return h('div.table', h('table', h('thead', h('tr', head.map((cell) => h('th', cell)))), h('tbody', stats.map(row))));
}
