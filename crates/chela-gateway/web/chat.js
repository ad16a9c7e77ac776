// The middle of the page: shows a conversation and takes new messages.

import { blocksOf, callsOf, textOf } from './conversation.js';
import { codeBlock, renderMarkdown } from './markdown.js';
import { $, copyButton, duration, h, reconcile, toast, uuid } from './ui.js';

const MAX_IMAGES = 8;
const MAX_IMAGE_BYTES = 17 * 1024 * 1024; // of all together: base64 makes it a third more, and a frame holds 25 MiB
const NEAR_END = 60;
const EXAMPLES = ['what can you do', '/tool session_status {}'];
const ERROR_TITLES = {
  refusal: 'The model refused to answer',
  timeout: 'The answer took too long',
  rate_limit: 'The provider asks to slow down',
  context_length: 'The conversation is too long for the model',
};

/** Shows one conversation at a time. `demo()` tells whether the model is the built-in one; `onsent(text)` follows a send. */
export class ChatView {
  images = [];
  drafts = new Map();
  stuck = true; // at the end, and to be kept there
  scroller = $('scroller');
  input = $('composer-input');

  constructor({ demo, onsent }) {
    Object.assign(this, { demo, onsent });
    this.scroller.addEventListener('scroll', () => this.scrolled());
    const observer = new ResizeObserver(() => { if (this.stuck) this.toEnd(); });
    observer.observe($('log'));
    observer.observe(this.scroller);
    $('jump').addEventListener('click', () => this.toEnd());
    $('stop').addEventListener('click', () => this.conversation.stop().catch((error) => toast(`It could not be stopped: ${error.message}`)));
    this.input.addEventListener('input', () => this.fit());
    this.input.addEventListener('keydown', (event) => {
      if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) this.submit(event);
    });
    $('composer').addEventListener('submit', (event) => this.submit(event));
    this.takeImages();
  }

  takeImages() {
    $('attach').addEventListener('click', () => $('file').click());
    $('file').addEventListener('change', () => {
      this.attach([...$('file').files]);
      $('file').value = '';
    });
    this.input.addEventListener('paste', (event) => {
      if (!event.clipboardData.files.length) return;
      event.preventDefault();
      this.attach([...event.clipboardData.files]);
    });
    const view = $('chat-view');
    for (const type of ['dragover', 'dragleave', 'drop']) {
      view.addEventListener(type, (event) => {
        event.preventDefault();
        view.classList.toggle('dropping', type === 'dragover');
        if (type === 'drop') this.attach([...event.dataTransfer.files]);
      });
    }
  }

  /** Shows another conversation. */
  open(conversation) {
    if (this.conversation) this.drafts.set(this.conversation.key, [this.input.value, this.images]);
    this.conversation = conversation;
    [this.input.value, this.images] = this.drafts.get(conversation.key) ?? ['', []];
    reconcile($('log'), []);
    this.cards = new Map();
    this.showThumbs();
    this.show();
    this.toEnd();
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
    reconcile($('log'), this.items(talk));
    for (const [id, tool] of talk.tools) for (const card of this.cards.get(id) ?? []) fillCard(card, tool);
    for (const run of talk.runs.values()) this.updateRun(run);
    for (const [runId, item] of talk.sent) this.updateSent(runId, item);
    $('queue').hidden = !talk.queue.length;
    reconcile($('queue'), talk.queue.map(({ runId, text }) => [runId, () => h('li', h('span', text), remover('the message', () => talk.unqueue(runId)))]));
    $('stop').hidden = !talk.active;
    $('send').textContent = talk.active ? 'Queue' : 'Send';
    $('log').setAttribute('aria-busy', talk.active);
    if (this.stuck) this.toEnd();
  }

  items(talk) {
    const items = [];
    const notes = [...talk.notes];
    const flush = (seq) => {
      for (; notes[0]?.after < seq; notes.shift()) {
        const [{ id, message }] = notes;
        items.push([`n-${id}`, () => this.buildMessage(message)]);
      }
    };
    const called = new Set();
    if (talk.hasMore) items.push(['-more', () => h('button.quiet', { onclick: () => talk.loadEarlier() }, 'Earlier messages')]);
    for (const message of talk.messages) {
      const { id, seq } = message.__openclaw;
      flush(seq);
      for (const call of callsOf(message)) called.add(call.id);
      if (message.role !== 'toolResult') items.push([`m-${id}`, () => this.buildMessage(message)]);
      else if (!called.has(message.toolCallId)) items.push([`m-${id}`, () => this.card(message.toolCallId)]);
    }
    flush(Infinity);
    for (const [runId, item] of talk.sent) items.push([`s-${runId}`, () => this.buildSent(item)]);
    for (const { runId } of talk.runs.values()) items.push([`r-${runId}`, () => this.buildRun()]);
    if (talk.remoteActive && !talk.runs.size) items.push(['-remote', () => h('p.hint', 'An answer is being written')]);
    if (talk.interrupted && !talk.active && ['user', 'toolResult'].includes(talk.messages.at(-1)?.role)) {
      items.push(['-interrupted', () => problem('No answer', 'The answer was interrupted', () => this.askAgain())]);
    }
    if (talk.error) items.push([`-${talk.error.message}`, () => problem('The conversation could not be loaded', talk.error.message, () => talk.load())]);
    else if (!talk.loaded) items.push(['-loading', () => h('p.hint', 'Loading')]);
    else if (!items.length) items.push([`-welcome-${this.demo()}`, () => this.buildWelcome()]);
    return items;
  }

  buildMessage(message) {
    const { role, timestamp, stopReason, errorKind, errorMessage } = message;
    const mine = role === 'user';
    const body = h('div.body', blocksOf(message).map((block) => this.buildBlock(block, mine)));
    if (stopReason === 'aborted') body.append(h('p.badge.stopped', 'Stopped'));
    else if (stopReason === 'error' || errorMessage) {
      body.append(problem(ERROR_TITLES[errorKind] ?? 'No answer', errorMessage, () => this.askAgain()));
    }
    const text = !mine && !callsOf(message).length && textOf(message);
    return h(mine ? 'article.message.user' : 'article.message', {
      'data-role': mine ? 'user' : 'assistant', 'aria-label': mine ? 'You' : 'Answer', title: timestamp && new Date(timestamp).toLocaleString(),
    }, body, text && h('div.tools-row', copyButton(text)));
  }

  askAgain() {
    const { text, images } = this.conversation.lastQuestion();
    this.conversation.submit(text, images);
  }

  buildBlock(block, mine) {
    if (block.type === 'toolCall') return this.card(block.id);
    if (block.type === 'image') return picture(block);
    if (block.type === 'thinking') return block.thinking && h('details.thinking', h('summary', 'Thinking'), h('p.plain', block.thinking));
    if (block.type !== 'text') return h('p.hint', `[${block.type}]`);
    if (mine) return h('p.plain', block.text);
    const box = h('div.markdown');
    renderMarkdown(box, block.text);
    return box;
  }

  buildWelcome() {
    const demo = this.demo();
    return h('div.welcome', { id: 'welcome' }, h('h2', 'What shall we do?'),
      h('p', demo
        ? 'The embedded demo model answers here. It needs no account and no network. It is no AI, but it calls real tools of real plugins.'
        : 'Write a message below. The model that answers is named at the bottom of the page.'),
      demo && [h('p', 'Try one of these:'), h('div.examples', EXAMPLES.map((text) => h('button.example', { onclick: () => this.send(text, []) }, text)))]);
  }

  buildSent({ text, images }) {
    return h('article.message.user', { 'data-role': 'user', 'aria-label': 'You' },
      h('div.body', h('p.plain', text), images.map((image) => picture({ data: image.data, mimeType: image.mime }))), h('div.sent-state'));
  }

  updateSent(runId, { state, error }) {
    const box = $('log').keyed.get(`s-${runId}`);
    if (box.state === state) return;
    box.state = state;
    const again = () => {
      const { text, images } = this.conversation.take(runId);
      this.conversation.submit(text, images);
    };
    box.lastChild.replaceChildren(...(state === 'waiting' ? ['Will be sent when the gateway is back'] : []), ...(state === 'failed' ? [
      h('span.bad', `Not sent: ${error} `), h('button', { onclick: again }, 'Try again'), h('button.quiet', { onclick: () => this.conversation.take(runId) }, 'Discard'),
    ] : []));
  }

  buildRun() {
    const typing = h('p.typing', { 'aria-label': 'Working' }, h('i'), h('i'), h('i'));
    return h('article.message', { 'data-role': 'live', 'aria-label': 'Answer, being written' }, h('div.body', h('div.live-tools'), h('div.markdown'), typing));
  }

  updateRun({ runId, text, tools, ended }) {
    const box = $('log').keyed.get(`r-${runId}`);
    const [cards, markdown, typing] = box.firstChild.children;
    renderMarkdown(markdown, text);
    box.classList.toggle('has-text', Boolean(text));
    typing.hidden = ended;
    const written = new Set(this.conversation.messages.flatMap(callsOf).map((call) => call.id));
    reconcile(cards, tools.filter((id) => !written.has(id)).map((id) => [id, () => this.card(id)]));
  }

  // A call can have two cards for a moment: in the running answer, and in the written message.
  card(id) {
    const card = h('details.tool', { 'data-tool': id },
      h('summary', h('span.tool-mark'), h('span.tool-name'), h('span.tool-brief'), h('span.tool-state')), h('div.tool-body'));
    this.cards.set(id, [...(this.cards.get(id) ?? []).filter((other) => other.isConnected), card]);
    return card;
  }

  submit(event) {
    event.preventDefault();
    const text = this.input.value.trim();
    if (!text && !this.images.length) return;
    this.send(text || 'What does the image show?', this.images);
    this.input.value = '';
    this.images = [];
    this.showThumbs();
  }

  send(text, images) {
    this.stuck = true;
    this.conversation.submit(text, images);
    this.onsent(text);
    this.input.focus();
  }

  async attach(files) {
    for (const file of files) {
      const total = this.images.reduce((sum, image) => sum + image.size, file.size);
      if (!file.type.startsWith('image/')) toast(`\`${file.name}\` is no image`);
      else if (this.images.length >= MAX_IMAGES) toast(`At most ${MAX_IMAGES} images fit into one message`);
      else if (total > MAX_IMAGE_BYTES) toast(`\`${file.name}\` is too large: the images of a message may have 17 MB together`);
      else this.images.push({ id: uuid(), name: file.name, mime: file.type, size: file.size, data: await base64(file) });
    }
    this.showThumbs();
    this.input.focus();
  }

  showThumbs() {
    $('thumbs').hidden = !this.images.length;
    const remove = (id) => {
      this.images = this.images.filter((image) => image.id !== id);
      this.showThumbs();
    };
    reconcile($('thumbs'), this.images.map(({ id, mime, data, name }) => [id, () => h('div.thumb',
      h('img', { src: `data:${mime};base64,${data}`, alt: name }), remover(name, () => remove(id)))]));
    this.fit();
  }

  fit() {
    this.input.style.height = 'auto';
    this.input.style.height = `${Math.min(this.input.scrollHeight, innerHeight * 0.4)}px`;
  }

  scrolled() {
    const { scrollHeight, scrollTop, clientHeight } = this.scroller;
    this.stuck = scrollHeight - scrollTop - clientHeight < NEAR_END;
    $('jump').hidden = this.stuck;
  }

  toEnd() {
    this.scroller.scrollTop = this.scroller.scrollHeight;
    this.scrolled();
  }
}

const remover = (what, onclick) => h('button.icon.small', { 'aria-label': `Remove ${what}`, onclick }, '✕');

const problem = (title, text, retry) => h('div.problem', { role: 'alert' }, h('strong', title), h('p.plain', text), h('button', { onclick: retry }, 'Try again'));

function picture({ data, mimeType }) {
  if (!data || !/^image\/[\w.+-]+$/.test(mimeType)) return h('p.hint', '[image]');
  const enlarge = (event) => event.currentTarget.classList.toggle('large');
  return h('button.picture', { 'aria-label': 'Larger or smaller', onclick: enlarge }, h('img', { src: `data:${mimeType};base64,${data}`, alt: 'Image' }));
}

function fillCard(card, { status, name, args = {}, result, startedAt, endedAt }) {
  const stamp = JSON.stringify([status, name, args, result, endedAt]);
  if (card.stamp === stamp) return;
  card.stamp = stamp;
  card.dataset.status = status;
  const texts = card.querySelectorAll('summary > :not(.tool-mark)');
  const took = endedAt - startedAt;
  const short = JSON.stringify(args).slice(0, 120);
  const time = took >= 0 ? ` · ${took < 1000 ? `${took} ms` : duration(took)}` : '';
  [name, short === '{}' ? '' : short, status + time].forEach((text, index) => { texts[index].textContent = text; });
  const title = { running: 'So far', done: 'Result', failed: 'Error' }[status];
  card.lastChild.replaceChildren(h('h4', 'Arguments'), codeBlock(JSON.stringify(args, null, 2)), ...(result === undefined ? [] : [h('h4', title), ...resultNodes(result)]));
}

function resultNodes(result) {
  const blocks = blocksOf(result.content ? result : { content: asText(result) });
  return blocks.map((block) => (block.type === 'image' ? picture(block) : codeBlock(block.text ?? asText(block))));
}

const asText = (value) => (typeof value === 'string' ? value : JSON.stringify(value, null, 2));

async function base64(file) {
  const reader = new FileReader();
  await new Promise((resolve, reject) => {
    reader.onload = resolve;
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(file);
  });
  return reader.result.slice(reader.result.indexOf(',') + 1);
}
