// Puts the page together: signing in, choosing a conversation or a view, routing events, the status line.

import { Approvals } from './approvals.js';
import { ChatView } from './chat.js';
import { Conversation } from './conversation.js';
import { Gateway } from './gateway.js';
import { PluginsView } from './plugins.js';
import { Sessions, sessionName } from './sessions.js';
import { $, debounce, duration, toast } from './ui.js';

const LAST = 'chela.session';
const EMPTIED = ['new', 'reset', 'idle', 'daily', 'delete'];

const conversations = new Map();
let current = null; // key of the conversation in view
let subscribed = null;
let mainKey = 'agent:main:main';
let connection = {};

const gateway = new Gateway({ onhello, onevent, ongap, onstate, onsignin });
const sessions = new Sessions(gateway, { onopen: openSession, onremoved, onrows });
const chat = new ChatView({ demo: () => modelInUse().startsWith('demo/'), onsent: (text) => sessions.nameAfter(current, text) });
const plugins = new PluginsView(gateway);
const approvals = new Approvals(gateway);
const refreshPlugins = debounce(() => plugins.load(), 300);

function conversation(key) {
  if (!conversations.has(key)) {
    conversations.set(key, new Conversation(key, gateway, () => { if (key === current) chat.refresh(); }));
  }
  return conversations.get(key);
}

// --- where we are: `#chat=<key>`, `#plugins`, and once `#token=<secret>`

function takeToken() {
  const fragment = new URLSearchParams(location.hash.slice(1));
  const token = fragment.get('token');
  if (token) gateway.setSecret(token);
  fragment.delete('token');
  history.replaceState(null, '', `${location.pathname}#${fragment}`);
  gateway.start();
}

function openSession(key) {
  location.hash = `chat=${encodeURIComponent(key)}`;
  openSidebar(false);
  $('composer-input').focus();
}

function onremoved(key) {
  conversations.delete(key);
  openSession(mainKey);
}

function route() {
  const fragment = new URLSearchParams(location.hash.slice(1));
  if (fragment.has('token')) return takeToken();
  const inPlugins = fragment.has('plugins');
  $('chat-view').hidden = inPlugins;
  $('plugins-view').hidden = !inPlugins;
  $('open-plugins').setAttribute('aria-current', inPlugins);
  plugins.open = inPlugins;
  plugins.load();
  let last = null;
  try { last = localStorage.getItem(LAST); } catch { /* begins at the main one */ }
  const key = fragment.get('chat') ?? current ?? last ?? mainKey;
  if (key !== current) show(key);
  return title();
}

function show(key) {
  current = key;
  try { localStorage.setItem(LAST, key); } catch { /* as above */ }
  sessions.select(key);
  chat.open(conversation(key));
  if (gateway.connected) subscribe().then(() => conversation(key).load());
}

async function subscribe() {
  const key = current;
  if (subscribed === key) return;
  if (subscribed) gateway.call('sessions.messages.unsubscribe', { key: subscribed }).catch(() => null);
  subscribed = key;
  await gateway.call('sessions.messages.subscribe', { key }).catch((error) => toast(`No live updates: ${error.message}`));
}

function title() {
  const name = sessionName(current, sessions.row(current));
  $('session-title').textContent = name;
  document.title = `${plugins.open ? 'Plugins' : name} · Chela`;
  $('delete').disabled = current === mainKey;
}

// --- the connection

async function onhello({ snapshot, auth }) {
  $('signin').hidden = true;
  $('app').hidden = false;
  mainKey = snapshot?.sessionDefaults?.mainSessionKey ?? mainKey;
  for (const warning of auth?.warnings ?? []) toast(warning.message);
  subscribed = null;
  gateway.call('sessions.subscribe').catch(() => null);
  plugins.load();
  approvals.load();
  if (current === null) route();
  await subscribe();
  await Promise.all([...conversations.values()].map((talk) => talk.reconnected()));
  sessions.load();
}

function onstate(next) {
  connection = next;
  showStatus();
}

function onsignin({ message, hint = '', kind }) {
  $('app').hidden = true;
  $('signin').hidden = false;
  $('signin-message').textContent = message;
  $('signin-hint').textContent = hint;
  $('signin-hint').hidden = !hint;
  $('secret').hidden = kind === 'none';
  $('secret').placeholder = kind;
  $('signin-form').dataset.kind = kind;
  $('secret').focus();
}

$('signin-form').addEventListener('submit', (event) => {
  event.preventDefault();
  const secret = $('secret').value.trim();
  if (secret) gateway.setSecret(secret, $('signin-form').dataset.kind);
  $('secret').value = '';
  $('signin-message').textContent = 'Connecting';
  gateway.start();
});

function ongap() {
  approvals.load();
  for (const talk of conversations.values()) talk.gap();
  sessions.reload();
}

function onevent(event, payload) {
  const talk = conversations.get(payload.sessionKey);
  if (event === 'sessions.changed') {
    sessions.reload();
    if (EMPTIED.includes(payload.reason)) talk?.load();
  } else if (event === 'plugins.changed') refreshPlugins();
  else if (/^(exec|plugin)\.approval\.(requested|resolved)$/.test(event)) approvals.onevent(event, payload);
  else if (event === 'shutdown') onstate({ state: 'connected', text: 'The gateway is stopping' });
  else if (event === 'agent') talk?.onAgent(payload);
  else if (event === 'chat') {
    talk?.onChat(payload);
    if (payload.state !== 'delta' && approvals.waiting.size) approvals.load(); // an aborted run takes its question back
  }
  else if (event === 'session.tool') talk?.onTool(payload);
  else if (event === 'session.message') talk?.onMessage(payload);
}

function onrows() {
  for (const [key, talk] of conversations) {
    const { hasActiveRun, interruptedAt } = sessions.row(key) ?? {};
    const active = Boolean(hasActiveRun);
    talk.interrupted = Boolean(interruptedAt) && !active; // a gateway was killed under the last run
    if (!talk.runs.size && !talk.sent.size && talk.remoteActive !== active) {
      talk.remoteActive = active;
      talk.load();
    }
    talk.next();
  }
  title();
  showStatus();
  chat.refresh();
}

// --- the status line

function modelInUse() {
  const row = sessions.row(current) ?? {};
  const { modelProvider, model } = sessions.defaults;
  return `${row.providerOverride ?? row.modelProvider ?? modelProvider ?? ''}/${row.modelOverride ?? row.model ?? model ?? ''}`;
}

function showStatus() {
  const { state, text, retryAt } = connection;
  const wait = Math.ceil((retryAt - Date.now()) / 1000);
  const line = wait > 0 ? `${text} in ${wait} s` : text;
  $('status').dataset.state = state;
  if ($('status-text').textContent !== line) $('status-text').textContent = line;
  $('status-model').textContent = modelInUse().replace(/^\/$/, '');
  const { hello, helloAt } = gateway;
  if (!hello) return;
  $('status-version').textContent = `Gateway ${hello.server?.version ?? ''}`;
  const uptime = hello.snapshot?.uptimeMs;
  $('status-uptime').textContent = uptime === undefined ? '' : `up ${duration(uptime + Date.now() - helloAt)}`;
}

setInterval(() => { if (!document.hidden) showStatus(); }, 1000);

// --- the frame around it

const menu = $('session-menu');

function openSidebar(open) {
  document.body.classList.toggle('sidebar-open', open);
  $('shade').hidden = !open;
}

async function resetCurrent() {
  const talk = conversation(current);
  if (await sessions.reset(talk.key)) talk.load();
}

const CLICKS = {
  'open-sidebar': () => openSidebar(true),
  'close-sidebar': () => openSidebar(false),
  shade: () => openSidebar(false),
  'open-plugins': () => { location.hash = 'plugins'; openSidebar(false); },
  skip: (event) => { event.preventDefault(); $('composer-input').focus(); },
  rename: () => sessions.rename(current),
  reset: resetCurrent,
  delete: () => sessions.remove(current),
};
for (const [id, run] of Object.entries(CLICKS)) $(id).addEventListener('click', run);
plugins.back.addEventListener('click', () => openSession(current));
document.addEventListener('click', ({ target }) => { if (!target.closest('#session-menu summary')) menu.open = false; });
document.addEventListener('keydown', ({ key }) => {
  if (key !== 'Escape') return;
  menu.open = false;
  openSidebar(false);
});

addEventListener('hashchange', route);
takeToken();
