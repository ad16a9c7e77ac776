// The plugins view: what every plugin does at this moment.

import { $, duration, h, reconcile } from './ui.js';

const EVERY = 3000;
const TROUBLE = ['backoff', 'quarantined', 'error'];
const megabytes = (n) => `${(n / 1_048_576).toFixed(1)} MB`;

/** Shows plugins while it is open. */
export class PluginsView {
  constructor(gateway) {
    this.gateway = gateway;
    this.plugins = [];
    this.back = h('button.icon', { 'aria-label': 'Back to the conversation' }, '←');
    this.find = h('input', { type: 'search', placeholder: 'Filter', 'aria-label': 'Filter plugins', oninput: () => this.show() });
    this.summary = h('span.hint', { id: 'plugin-summary' });
    this.list = h('div.plugin-list');
    $('plugins-view').append(h('header.top', this.back, h('h1', 'Plugins'), this.summary, this.find), h('div.scroller', { tabindex: 0 }, this.list));
    setInterval(() => { if (this.open && !document.hidden) this.load(); }, EVERY);
  }

  async load() {
    if (!this.gateway.connected || this.loading) return;
    this.loading = true;
    try {
      this.plugins = (await this.gateway.call('plugins.list')).plugins ?? [];
      this.show();
    } catch (error) {
      this.summary.textContent = `No list: ${error.message}`;
    }
    this.loading = false;
  }

  show() {
    const bad = this.plugins.filter((p) => TROUBLE.includes(stateOf(p))).length;
    const running = this.plugins.filter((p) => stateOf(p) === 'running').length;
    const trouble = bad ? `${bad} in trouble` : '';
    $('plugin-count').textContent = trouble || `${running} running`;
    $('plugin-count').classList.toggle('bad', bad > 0);
    this.summary.textContent = [`${this.plugins.length} known`, `${running} running`, trouble].filter(Boolean).join(', ');
    if (!this.open) return;
    const wanted = this.find.value.toLowerCase();
    const rank = (p) => [...TROUBLE, 'starting', 'running', 'stopped'].indexOf(stateOf(p)) + (p.enabled === false ? 99 : 0);
    const shown = this.plugins.filter((p) => `${p.id} ${p.name} ${stateOf(p)}`.toLowerCase().includes(wanted));
    shown.sort((a, b) => rank(a) - rank(b) || a.id.localeCompare(b.id));
    reconcile(this.list, shown.length ? shown.map((p) => [p.id, () => buildRow(p.id)]) : [['', () => h('p.hint', 'No plugin here')]]);
    for (const plugin of shown) fillRow(this.list.keyed.get(plugin.id), plugin);
  }
}

function stateOf(plugin) {
  if (plugin.error) return 'error';
  return plugin.enabled === false ? 'disabled' : plugin.state ?? 'unknown';
}

function buildRow(id) {
  return h('details.plugin', { 'data-plugin': id },
    h('summary', h('span.plugin-state'), h('span.plugin-name'), h('span.plugin-facts')), h('div.plugin-body'));
}

function fillRow(row, p) {
  // The minute keeps the running time right; otherwise an unchanged row is left alone, so that text can be selected.
  const stamp = JSON.stringify(p) + Math.floor(Date.now() / 60_000);
  if (row.stamp === stamp) return;
  row.stamp = stamp;
  row.dataset.state = stateOf(p);
  const [state, name, facts] = row.querySelector('summary').children;
  state.textContent = stateOf(p);
  name.replaceChildren(h('strong', p.name || p.id), h('span.hint', ` ${p.id} ${p.version ?? ''}`));
  const counts = [[p.calls, 'calls'], [p.errors, 'errors'], [p.restarts, 'restarts']].filter(([n]) => n).map((pair) => pair.join(' '));
  facts.textContent = [p.rssBytes && megabytes(p.rssBytes), ...counts].filter(Boolean).join(' · ');
  row.querySelector('.plugin-body').replaceChildren(...details(p));
}

function details(p) {
  const { routes, ...registered } = p.registered ?? {};
  const facts = [
    ['Why', p.reason],
    ['Error', p.error],
    ['Origin', p.origin],
    ['Runs in', [p.lane, p.runtime].filter(Boolean).join(', ')],
    ['Process', p.pid],
    ['Up', p.pid && p.startedAtMs && duration(Date.now() - p.startedAtMs)],
    ['Last error', p.lastError],
    ['Last exit', p.lastExit],
    ['Environment withheld', p.withheldEnv?.length && chips(p.withheldEnv)],
    ...Object.entries(registered).map(([kind, names]) => [`Registered ${kind}`, names?.length && chips(names)]),
    ['Registered routes', routes],
    ['Recorded, not served', p.recordedOnly?.length && chips(p.recordedOnly.map(({ method, id }) => [method, id].filter(Boolean).join(' ')))],
  ];
  return [
    (p.diagnostics ?? []).map((d) => h(`p.diagnostic.${d.level}`, `${d.level}: ${d.message}`)),
    h('dl', facts.filter(([, value]) => value).map(([label, value]) => [h('dt', label), h('dd', value)])),
    p.hookStats?.length ? [h('h4', 'Hooks'), hookTable(p.hookStats)] : [],
  ].flat();
}

function chips(names) {
  const count = (name) => names.filter((other) => other === name).length;
  return h('ul.chips', [...new Set(names)].map((name) => h('li', name, count(name) > 1 && ` × ${count(name)}`)));
}

function hookTable(stats) {
  const ms = (value) => (value === undefined ? '' : `${value.toFixed(1)} ms`);
  const row = (s) => [s.hook, s.calls, s.failures, s.timeouts, ms(s.p50Ms), ms(s.maxMs), s.lastError];
  const head = ['Hook', 'Calls', 'Failures', 'Timeouts', 'Median', 'Longest', 'Last error'];
  return h('div.table', h('table', h('thead', h('tr', head.map((cell) => h('th', cell)))),
    h('tbody', stats.map((s) => h('tr', row(s).map((cell) => h('td', cell)))))));
}
