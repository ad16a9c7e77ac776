// The blocking lane (descriptor 4): one request, then wait for its response. It serves the SDK functions
// that are synchronous in JavaScript, and compiles TypeScript while modules are being linked.
import fs from 'node:fs';
import { MAX_FRAME } from './frames.js';

const FD = 4;
let nextId = 1;
let sleeper;

/** Waits without the event loop: only used when the descriptor was handed over non-blocking. */
function nap() {
  sleeper ??= new Int32Array(new SharedArrayBuffer(4));
  Atomics.wait(sleeper, 0, 0, 1);
}

function writeAll(buffer) {
  let at = 0;
  while (at < buffer.length) {
    try {
      at += fs.writeSync(FD, buffer, at);
    } catch (error) {
      if (error.code !== 'EAGAIN') throw error;
      nap();
    }
  }
}

function readExactly(size) {
  const buffer = Buffer.allocUnsafe(size);
  let at = 0;
  while (at < size) {
    try {
      const count = fs.readSync(FD, buffer, at, size - at, null);
      if (count === 0) throw new Error('the host closed the blocking lane');
      at += count;
    } catch (error) {
      if (error.code !== 'EAGAIN') throw error;
      nap();
    }
  }
  return buffer;
}

/**
 * Sends one already encoded request and returns the still encoded response frame (`{ok}` or `{err}`).
 * @param {string} method @param {unknown} params
 */
export function exchange(method, params) {
  const id = nextId++;
  const text = JSON.stringify({ t: 'req', id, m: method, p: params });
  const frame = Buffer.allocUnsafe(4 + Buffer.byteLength(text));
  frame.writeUInt32BE(frame.length - 4, 0);
  frame.write(text, 4);
  writeAll(frame);
  for (;;) {
    const size = readExactly(4).readUInt32BE(0);
    if (size > MAX_FRAME) throw new Error(`the host sent a frame of ${size} bytes on the blocking lane`);
    const answer = JSON.parse(readExactly(size).toString('utf8'));
    if (answer.t === 'res' && answer.id === id) return answer;
  }
}
