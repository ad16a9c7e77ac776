// The middle of the page: shows a conversation and takes new messages.

import { blocksOf, textOf } from './conversation.js';
import { codeBlock, renderMarkdown } from './markdown.js';
import { $, copy, duration, h, reconcile, toast, uuid } from './ui.js';

const MAX_IMAGES = 8;
const MAX_IMAGE_BYTES = 10 * 1024 * 1024;
const MAX_ALL_BYTES = 17 * 1024 * 1024; // base64 makes it a third more, and a frame holds 25 MiB
const EXAMPLES = ['what can you do', '/tool session_status {}'];

const ERROR_TITLES = {
  refusal: 'The model refused to answer',
  timeout: 'The answer took too long',
  rate_limit: 'The provider asks to slow down',
  context_length: 'The conversation is too long for the model',
};

/** Shows one conversation at a time. `demo()` tells whether the model is the built-in one; `onsent(text)` follows a send. */
export class ChatView {
  constructor({ demo, onsent }) {
    this.demo = demo;
    this.onsent = onsent;
    this.images = [];
    this.drafts = new Map();
    this.scroller = $('scroller');
    this.input = $('composer-input');
    this.scroller.addEventListener('scroll', () => this.scrolled());
    new ResizeObserver(() => { if (this.stuck) this.toEnd(); }).observe($('log'));
    new ResizeObserver(() => { if (this.stuck) this.toEnd(); }).observe(this.scroller);
    $('jump').addEventListener('click', () => this.toEnd());
    this.stuck = true;
    this.listen();
  }

  listen() {
    this.input.addEventListener('input', () => this.fit());
    this.input.addEventListener('keydown', (event) => {
      if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      this.submit();
    });
    $('composer').addEventListener('submit', (event) => {
      event.preventDefault();
      this.submit();
    });
    $('stop').addEventListener('click', () => this.stop());
    $('attach').addEventListener('click', () => $('file').click());
    $('file').addEventListener('change', () => {
      this.attach([...$('file').files]);
      $('file').value = '';
    });
    this.input.addEventListener('paste', (event) => {
      const files = [...(event.clipboardData?.files ?? [])].filter((file) => file.type.startsWith('image/'));
      if (files.length) {
        event.preventDefault();
        this.attach(files);
      }
    });
    const view = $('chat-view');
    view.addEventListener('dragover', (event) => {
      event.preventDefault();
      view.classList.add('dropping');
    });
    view.addEventListener('dragleave', () => view.classList.remove('dropping'));
    view.addEventListener('drop', (event) => {
      event.preventDefault();
      view.classList.remove('dropping');
      this.attach([...(event.dataTransfer?.files ?? [])]);
    });
  }

  /** Shows another conversation. */
  open(conversation) {
    if (this.conversation) this.drafts.set(this.conversation.key, { text: this.input.value, images: this.images });
    this.conversation = conversation;
    const draft = this.drafts.get(conversation.key);
    this.input.value = draft?.text ?? '';
    this.images = draft?.images ?? [];
    this.clear();
    this.showThumbs();
    this.fit();
    this.show();
    this.toEnd();
  }

  clear() {
    $('log').replaceChildren();
    $('log').keyed = new Map();
    this.cards = new Map();
  }

  /** Shows what changed, at most once a frame. */
  refresh() {
    if (this.frame) return;
    // A hidden page gets no frames, and must not fall behind.
    const later = document.hidden ? (run) => setTimeout(run, 100) : requestAnimationFrame;
    this.frame = later(() => {
      this.frame = null;
      this.show();
    });
  }

  show() {
    const talk = this.conversation;
    if (!talk) return;
    const items = this.items(talk);
    reconcile($('log'), items);
    for (const [id, tool] of talk.tools) this.updateCards(id, tool);
    for (const run of talk.runs.values()) this.updateRun(run);
    for (const [runId, item] of talk.sent) this.updateSent(runId, item);
    this.showQueue(talk);
    $('stop').hidden = !talk.active;
    $('send').textContent = talk.active ? 'Queue' : 'Send';
    $('log').setAttribute('aria-busy', String(talk.active));
    if (this.stuck) this.toEnd();
  }

  items(talk) {
    const items = [];
    if (talk.hasMore) items.push({ key: '-more', build: () => h('button.quiet', { onclick: () => talk.loadEarlier() }, 'Show earlier messages') });
    const notes = [...talk.notes];
    const flush = (seq) => {
      while (notes.length && notes[0].after < seq) items.push(this.messageItem(notes[0].id, notes.shift().message));
    };
    const called = new Set();
    for (const message of talk.messages) {
      flush(message.__openclaw?.seq ?? 0);
      for (const block of blocksOf(message)) if (block.type === 'toolCall') called.add(block.id);
      if (message.role !== 'toolResult') items.push(this.messageItem(message.__openclaw?.id, message));
      else if (!called.has(message.toolCallId)) items.push({ key: `t-${message.toolCallId}`, build: () => h('div.message.assistant', this.card(message.toolCallId)) });
    }
    flush(Infinity);
    for (const [runId, item] of talk.sent) items.push({ key: `s-${runId}`, build: () => this.buildSent(runId, item) });
    for (const run of talk.runs.values()) items.push({ key: `r-${run.runId}`, build: () => this.buildRun(run) });
    if (talk.remoteActive && !talk.runs.size) items.push({ key: '-remote', build: () => h('p.hint', 'An answer is being written') });
    if (talk.error) items.push({ key: `-error-${talk.error.message}`, build: () => this.buildLoadError(talk) });
    else if (!talk.loaded) items.push({ key: '-loading', build: () => h('p.hint', 'Loading') });
    else if (!items.length) items.push({ key: `-welcome-${this.demo()}`, build: () => this.buildWelcome() });
    return items;
  }

  messageItem(id, message) {
    return { key: `m-${id}`, build: () => this.buildMessage(message) };
  }

  buildMessage(message) {
    const role = message.role === 'user' ? 'user' : 'assistant';
    const body = h('div.body');
    for (const block of blocksOf(message)) body.append(this.buildBlock(block, role));
    const text = textOf(message);
    const time = message.timestamp ? new Date(message.timestamp).toLocaleString() : null;
    const box = h('article', { class: `message ${role}`, 'data-role': role, title: time, 'aria-label': role === 'user' ? 'You' : 'Answer' }, body);
    if (message.stopReason === 'aborted') body.append(h('p.badge.stopped', 'Stopped'));
    else if (message.stopReason === 'error' || message.errorMessage) body.append(this.buildError(message));
    if (role === 'assistant' && text && !blocksOf(message).some((block) => block.type === 'toolCall')) {
      box.append(h('div.tools-row', h('button.quiet', { onclick: (event) => copy(text, event.currentTarget) }, 'Copy')));
    }
    return box;
  }

  buildBlock(block, role) {
    if (block.type === 'text' && role === 'user') return h('p.plain', block.text);
    if (block.type === 'text') {
      const box = h('div.markdown');
      renderMarkdown(box, block.text ?? '');
      return box;
    }
    if (block.type === 'toolCall') return this.card(block.id);
    if (block.type === 'thinking') return block.thinking ? h('details.thinking', h('summary', 'Thinking'), h('p.plain', block.thinking)) : '';
    if (block.type === 'image') return picture(block);
    return h('p.hint', `[${block.type}]`);
  }

  buildError(message) {
    const retry = () => {
      const question = this.conversation.lastQuestion();
      if (question) this.conversation.submit(question.text, question.images);
    };
    return h('div.problem', { role: 'alert' },
      h('strong', ERROR_TITLES[message.errorKind] ?? 'No answer'),
      h('p.plain', message.errorMessage ?? ''),
      h('button', { onclick: retry }, 'Try again'));
  }

  buildLoadError(talk) {
    return h('div.problem', { role: 'alert' }, h('strong', 'The conversation could not be loaded'), h('p', talk.error.message),
      h('button', { onclick: () => talk.load() }, 'Try again'));
  }

  buildWelcome() {
    const start = (text) => h('button.example', { onclick: () => this.send(text, []) }, text);
    const demo = this.demo();
    return h('div.welcome', { id: 'welcome' },
      h('h2', 'What shall we do?'),
      h('p', demo
        ? 'The embedded demo model answers here. It needs no account and no network, and it follows fixed rules: it is no AI, but it calls real tools of real plugins.'
        : 'Write a message below. Answers come from the model that is named at the bottom of the page.'),
      demo && h('p', 'Try one of these:'),
      demo && h('div.examples', EXAMPLES.map(start)));
  }

  buildSent(runId, item) {
    const body = h('div.body', h('p.plain', item.text), item.images.map((image) => picture({ data: image.data, mimeType: image.mime })));
    return h('article.message.user', { 'data-role': 'user', 'data-run': runId, 'aria-label': 'You' }, body, h('div.sent-state'));
  }

  updateSent(runId, item) {
    const box = $('log').keyed.get(`s-${runId}`);
    if (!box || box.state === item.state) return;
    box.state = item.state;
    const line = box.querySelector('.sent-state');
    line.replaceChildren();
    if (item.state === 'waiting') line.append('Will be sent when the gateway is back');
    if (item.state === 'failed') {
      line.append(h('span.bad', `Not sent: ${item.error} `),
        h('button', { onclick: () => this.conversation.retry(runId) }, 'Try again'),
        h('button.quiet', { onclick: () => this.conversation.discard(runId) }, 'Discard'));
    }
  }

  buildRun(run) {
    const text = h('div.markdown');
    const box = h('article.message.assistant.live', { 'data-role': 'live', 'data-run': run.runId, 'aria-label': 'Answer, being written' },
      h('div.body', h('div.live-tools'), text, h('span.typing', { 'aria-label': 'Working' }, h('i'), h('i'), h('i'))));
    box.text = text;
    return box;
  }

  updateRun(run) {
    const box = $('log').keyed.get(`r-${run.runId}`);
    if (!box) return;
    renderMarkdown(box.text, run.text);
    box.classList.toggle('has-text', Boolean(run.text));
    box.querySelector('.typing').hidden = Boolean(run.ended);
    const written = new Set(this.conversation.messages.flatMap((m) => blocksOf(m).filter((b) => b.type === 'toolCall').map((b) => b.id)));
    const open = run.tools.filter((id) => !written.has(id));
    reconcile(box.querySelector('.live-tools'), open.map((id) => ({ key: id, build: () => this.card(id) })));
  }

  // A card can stand in a written message and, a moment before, in the running answer.
  card(id) {
    const card = h('details.tool', { 'data-tool': id },
      h('summary', h('span.tool-mark', { 'aria-hidden': 'true' }), h('span.tool-name'), h('span.tool-brief'), h('span.tool-state')),
      h('div.tool-body'));
    const all = this.cards.get(id) ?? [];
    this.cards.set(id, [...all.filter((other) => other.isConnected), card]);
    const tool = this.conversation.tools.get(id);
    if (tool) fillCard(card, tool);
    return card;
  }

  updateCards(id, tool) {
    for (const card of this.cards.get(id) ?? []) fillCard(card, tool);
  }

  showQueue(talk) {
    const list = $('queue');
    list.hidden = !talk.queue.length;
    reconcile(list, talk.queue.map((item) => ({
      key: item.id,
      build: () => h('li', h('span', item.text || `${item.images.length} image(s)`),
        h('button.icon.small', { 'aria-label': 'Remove from the queue', onclick: () => talk.unqueue(item.id) }, '✕')),
    })));
  }

  submit() {
    const text = this.input.value.trim();
    if (!text && !this.images.length) return;
    this.send(text || 'What is in the attached image?', this.images);
    this.input.value = '';
    this.images = [];
    this.showThumbs();
    this.fit();
  }

  send(text, images) {
    if (!this.conversation) return;
    this.stuck = true;
    this.conversation.submit(text, images);
    this.onsent(text);
    this.input.focus();
  }

  async stop() {
    $('stop').disabled = true;
    try {
      await this.conversation.stop();
    } catch (error) {
      toast(`It could not be stopped: ${error.message}`);
    }
    $('stop').disabled = false;
  }

  async attach(files) {
    for (const file of files) {
      const total = this.images.reduce((sum, image) => sum + image.size, 0);
      if (!file.type.startsWith('image/')) toast(`\`${file.name}\` is no image; only images can be attached`);
      else if (this.images.length >= MAX_IMAGES) toast(`At most ${MAX_IMAGES} images fit into one message`);
      else if (file.size > MAX_IMAGE_BYTES || total + file.size > MAX_ALL_BYTES) toast(`\`${file.name}\` is too large: at most 10 MB for one image and 17 MB together`);
      else this.images.push({ id: uuid(), name: file.name, mime: file.type, size: file.size, data: await base64(file) });
    }
    this.showThumbs();
    this.input.focus();
  }

  showThumbs() {
    $('thumbs').hidden = !this.images.length;
    reconcile($('thumbs'), this.images.map((image) => ({
      key: image.id,
      build: () => h('div.thumb', h('img', { src: `data:${image.mime};base64,${image.data}`, alt: image.name }),
        h('button.icon.small', { 'aria-label': `Remove ${image.name}`, onclick: () => this.removeImage(image.id) }, '✕')),
    })));
  }

  removeImage(id) {
    this.images = this.images.filter((image) => image.id !== id);
    this.showThumbs();
  }

  fit() {
    this.input.style.height = 'auto';
    this.input.style.height = `${Math.min(this.input.scrollHeight + 2, innerHeight * 0.4)}px`;
  }

  scrolled() {
    const rest = this.scroller.scrollHeight - this.scroller.scrollTop - this.scroller.clientHeight;
    this.stuck = rest < 60;
    $('jump').hidden = this.stuck;
  }

  toEnd() {
    this.scroller.scrollTop = this.scroller.scrollHeight;
    this.stuck = true;
    $('jump').hidden = true;
  }
}

function picture(block) {
  const src = block.data ? `data:${block.mimeType ?? 'image/png'};base64,${block.data}` : '';
  if (!/^data:image\/[\w.+-]+;base64,/.test(src)) return h('p.hint', '[image]');
  return h('button.picture', { 'aria-label': 'Show the image large', onclick: (event) => event.currentTarget.classList.toggle('large') }, h('img', { src, alt: 'Image', loading: 'lazy' }));
}

const STATES = { running: 'running', done: 'done', failed: 'failed' };

function fillCard(card, tool) {
  const stamp = JSON.stringify([tool.status, tool.name, tool.endedAt, tool.args, tool.result?.content ?? tool.result]);
  if (card.stamp === stamp) return;
  card.stamp = stamp;
  card.dataset.status = tool.status;
  const [, name, brief, state] = card.querySelector('summary').children;
  name.textContent = tool.name ?? 'tool';
  const args = tool.args && Object.keys(tool.args).length ? JSON.stringify(tool.args) : '';
  brief.textContent = args.length > 90 ? `${args.slice(0, 90)}…` : args;
  const took = tool.startedAt && tool.endedAt ? tool.endedAt - tool.startedAt : null;
  const time = took === null ? '' : took < 1000 ? ` · ${took} ms` : ` · ${duration(took)}`;
  state.textContent = STATES[tool.status] + time;
  const body = [h('h4', 'Arguments'), codeBlock(JSON.stringify(tool.args ?? {}, null, 2), 'json')];
  if (tool.result !== undefined) body.push(h('h4', tool.status === 'failed' ? 'Error' : tool.status === 'running' ? 'So far' : 'Result'), ...resultNodes(tool.result));
  card.querySelector('.tool-body').replaceChildren(...body);
}

function resultNodes(result) {
  const blocks = typeof result === 'string' ? [{ type: 'text', text: result }] : result?.content ? blocksOf(result) : [{ type: 'text', text: JSON.stringify(result, null, 2) }];
  if (!blocks.length) return [h('p.hint', 'No output')];
  return blocks.map((block) => (block.type === 'image' ? picture(block) : codeBlock(block.text ?? JSON.stringify(block, null, 2))));
}

function base64(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result.slice(reader.result.indexOf(',') + 1));
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(file);
  });
}
