// Puts the page together: signing in, choosing a conversation or a view, routing events, the status line.

import { ChatView } from './chat.js';
import { Conversation } from './conversation.js';
import { Gateway } from './gateway.js';
import { PluginsView } from './plugins.js';
import { Sessions, sessionName } from './sessions.js';
import { $, debounce, duration, toast } from './ui.js';

const LAST = 'chela.session';

const conversations = new Map();
let current = null; // key of the conversation in view
let subscribed = null;
let mainKey = 'agent:main:main';
let connection = { state: 'connecting', text: 'Connecting' };

const gateway = new Gateway({ onhello, onevent, ongap, onstate, onsignin });
const sessions = new Sessions(gateway, { onopen: openSession, onremoved: () => openSession(mainKey), onrows });
const chat = new ChatView({ demo: isDemo, onsent: (text) => sessions.nameAfter(current, text) });
const plugins = new PluginsView(gateway);
const refreshPlugins = debounce(() => plugins.load(), 300);

function conversation(key) {
  let found = conversations.get(key);
  if (!found) {
    found = new Conversation(key, gateway, (changed) => { if (changed.key === current) chat.refresh(); });
    conversations.set(key, found);
  }
  return found;
}

// --- where we are: `#chat=<key>`, `#plugins`, and once `#token=<secret>`

function takeToken() {
  const fragment = new URLSearchParams(location.hash.slice(1));
  const token = fragment.get('token');
  if (token === null) return;
  if (token) gateway.setSecret(token);
  fragment.delete('token');
  const rest = [...fragment].length ? `#${fragment}` : '';
  history.replaceState(null, '', location.pathname + location.search + rest);
}

function openSession(key) {
  location.hash = `chat=${encodeURIComponent(key)}`;
  closeSidebar();
  if (!matchMedia('(max-width: 760px)').matches) $('composer-input').focus();
}

function route() {
  const fragment = new URLSearchParams(location.hash.slice(1));
  if (fragment.has('token')) {
    takeToken();
    gateway.start();
  }
  const inPlugins = fragment.has('plugins');
  $('chat-view').hidden = inPlugins;
  $('plugins-view').hidden = !inPlugins;
  if (inPlugins) {
    $('open-plugins').setAttribute('aria-current', 'true');
    plugins.open();
  } else {
    $('open-plugins').removeAttribute('aria-current');
    plugins.close();
  }
  const key = fragment.get('chat') ?? current ?? remembered() ?? mainKey;
  if (key !== current) show(key);
  else if (!inPlugins) chat.refresh();
  title();
}

function remembered() {
  try { return localStorage.getItem(LAST); } catch { return null; }
}

function show(key) {
  current = key;
  try { localStorage.setItem(LAST, key); } catch { /* the next visit begins at the main conversation */ }
  sessions.select(key);
  chat.open(conversation(key));
  if (gateway.connected) subscribe().then(() => conversation(key).load());
}

async function subscribe() {
  const key = current;
  if (subscribed === key) return;
  const before = subscribed;
  subscribed = key;
  if (before) gateway.call('sessions.messages.unsubscribe', { key: before }).catch(() => null);
  await gateway.call('sessions.messages.subscribe', { key }).catch((error) => {
    subscribed = null;
    if (!error.retryable) toast(`No live updates for this conversation: ${error.message}`);
  });
}

function title() {
  const name = sessionName(current ?? mainKey, sessions.row(current));
  $('session-title').textContent = name;
  document.title = $('plugins-view').hidden ? `${name} · Chela` : 'Plugins · Chela';
  $('delete').disabled = current === mainKey;
}

// --- the connection

async function onhello(hello) {
  $('signin').hidden = true;
  $('app').hidden = false;
  mainKey = hello.snapshot?.sessionDefaults?.mainSessionKey ?? mainKey;
  for (const warning of hello.auth?.warnings ?? []) toast(warning.message);
  subscribed = null;
  const first = current === null;
  if (first) route();
  gateway.call('sessions.subscribe').catch(() => null);
  await subscribe();
  sessions.load();
  plugins.load();
  for (const talk of conversations.values()) {
    if (talk.key !== current && !talk.sent.size && !talk.loaded) continue;
    if (!first || talk.key !== current) await talk.reconnected();
    else await talk.load();
    talk.resend();
  }
  showStatus();
}

function onstate(next) {
  connection = next;
  showStatus();
}

function onsignin({ message, hint, kind }) {
  $('app').hidden = true;
  $('signin').hidden = false;
  $('signin-message').textContent = message;
  $('signin-hint').textContent = hint;
  $('signin-hint').hidden = !hint;
  $('signin-fields').hidden = kind === 'none';
  $('secret-label').textContent = kind === 'password' ? 'Gateway password' : 'Gateway token';
  $('signin-submit').textContent = kind === 'none' ? 'Try again' : 'Connect';
  $('signin-form').dataset.kind = kind;
  if (kind === 'none') $('signin-submit').focus();
  else $('secret').focus();
}

$('signin-form').addEventListener('submit', (event) => {
  event.preventDefault();
  const { kind } = event.currentTarget.dataset;
  const secret = $('secret').value.trim();
  if (kind !== 'none') {
    if (!secret) return;
    gateway.setSecret(secret, kind);
  }
  $('secret').value = '';
  $('signin-message').textContent = 'Connecting';
  gateway.start();
});

function ongap() {
  for (const talk of conversations.values()) if (talk.loaded) talk.gap();
  sessions.reload();
}

function onevent(event, payload) {
  if (event === 'sessions.changed') return changed(payload);
  if (event === 'plugins.changed') return refreshPlugins();
  if (event === 'shutdown') return onstate({ state: 'connected', text: 'The gateway is stopping' });
  const key = payload.sessionKey;
  const talk = conversations.get(key);
  if (!talk) return undefined;
  if (event === 'agent') talk.onAgent(payload);
  else if (event === 'chat') talk.onChat(payload);
  else if (event === 'session.tool') talk.onTool(payload);
  else if (event === 'session.message') talk.onMessage(payload);
  return undefined;
}

const EMPTIED = ['new', 'reset', 'idle', 'daily', 'delete', 'deleted'];

function changed(payload) {
  sessions.reload();
  const talk = conversations.get(payload.sessionKey ?? payload.key);
  if (!talk?.loaded) return;
  if (EMPTIED.includes(payload.reason)) talk.load();
}

function onrows() {
  for (const [key, talk] of conversations) {
    const row = sessions.row(key);
    if (!row || talk.runs.size || talk.sent.size) continue;
    if (talk.remoteActive !== Boolean(row.hasActiveRun)) {
      talk.remoteActive = Boolean(row.hasActiveRun);
      if (!talk.remoteActive) talk.load();
      talk.changed();
    }
    talk.next();
  }
  title();
  showStatus();
}

// --- the model

function modelInUse() {
  const row = sessions.row(current) ?? {};
  const provider = row.providerOverride ?? row.modelProvider ?? sessions.defaults.modelProvider;
  const model = row.modelOverride ?? row.model ?? sessions.defaults.model;
  return model ? `${provider ?? '?'}/${model}` : '';
}

function isDemo() {
  return modelInUse().startsWith('demo/');
}

// --- the status line

function showStatus() {
  const { state, text, retryAt } = connection;
  $('status').dataset.state = state;
  const wait = retryAt ? Math.ceil((retryAt - Date.now()) / 1000) : 0;
  const line = wait > 0 ? `${text} in ${wait} s` : text;
  if ($('status-text').textContent !== line) $('status-text').textContent = line;
  $('status-model').textContent = modelInUse();
  const { hello } = gateway;
  if (hello) {
    $('status-version').textContent = `Gateway ${hello.server?.version ?? ''}`;
    const up = hello.snapshot?.uptimeMs;
    $('status-uptime').textContent = up === undefined ? '' : `up ${duration(up + Date.now() - gateway.helloAt)}`;
  }
  chat.refresh();
}

setInterval(() => { if (!document.hidden && (connection.retryAt || gateway.connected)) showStatus(); }, 1000);

// --- the frame around it

function closeSidebar() {
  document.body.classList.remove('sidebar-open');
  $('shade').hidden = true;
}

$('open-sidebar').addEventListener('click', () => {
  document.body.classList.add('sidebar-open');
  $('shade').hidden = false;
  $('search').focus();
});
$('close-sidebar').addEventListener('click', closeSidebar);
$('shade').addEventListener('click', closeSidebar);
$('open-plugins').addEventListener('click', () => {
  location.hash = 'plugins';
  closeSidebar();
});
plugins.back.addEventListener('click', () => openSession(current ?? mainKey));
$('skip').addEventListener('click', (event) => {
  event.preventDefault();
  $('composer-input').focus();
});

const menu = $('session-menu');
for (const [id, run] of [['rename', () => sessions.rename(current)], ['reset', resetCurrent], ['delete', () => sessions.remove(current)]]) {
  $(id).addEventListener('click', () => {
    menu.open = false;
    run();
  });
}

async function resetCurrent() {
  const talk = conversation(current);
  if (await sessions.reset(talk.key)) {
    talk.notes = [];
    await talk.load();
  }
}

document.addEventListener('click', (event) => { if (!menu.contains(event.target)) menu.open = false; });
document.addEventListener('keydown', (event) => {
  if (event.key === 'Escape') {
    menu.open = false;
    closeSidebar();
  }
});

addEventListener('hashchange', route);
takeToken();
gateway.start();
