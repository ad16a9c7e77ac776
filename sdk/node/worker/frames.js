// Length-prefixed JSON frames on the main lane (descriptor 3).
import fs from 'node:fs';
import net from 'node:net';

/** Largest frame in bytes that either side accepts. */
export const MAX_FRAME = 64 * 1024 * 1024;
/** Above this many unsent bytes the worker stops reading until the host has caught up. */
const READ_PAUSE_BYTES = 32 * 1024 * 1024;

/** A frame that is too large to send. */
export class FrameTooLargeError extends Error {
  constructor(bytes) {
    super(`frame of ${bytes} bytes exceeds the limit of ${MAX_FRAME}`);
    this.name = 'FrameTooLargeError';
    this.code = 'FRAME_TOO_LARGE';
  }
}

function pack(frame) {
  const text = JSON.stringify(frame);
  const size = Buffer.byteLength(text);
  if (size > MAX_FRAME) throw new FrameTooLargeError(size);
  const buffer = Buffer.allocUnsafe(4 + size);
  buffer.writeUInt32BE(size, 0);
  buffer.write(text, 4);
  return buffer;
}

/** The main lane: sends frames, and hands received ones to `onFrame(frame, text)`. */
export class FrameLane {
  #socket;
  #fd;
  #parts = [];
  #have = 0;
  #paused = false;
  onFrame = () => {};
  onClose = () => {};
  /** Called with the byte count of a frame over the limit. */
  onOversize = () => {};

  constructor(fd) {
    this.#fd = fd;
    this.#socket = new net.Socket({ fd, readable: true, writable: true });
    this.#socket.on('data', (chunk) => this.#receive(chunk));
    this.#socket.on('drain', () => this.#resume());
    this.#socket.on('error', () => this.onClose());
    this.#socket.on('close', () => this.onClose());
    this.#socket.on('end', () => this.onClose());
  }

  /** Bytes accepted for sending that the host has not taken yet. */
  get backlog() {
    return this.#socket.writableLength;
  }

  /** Sends one frame; returns false when the lane is congested. Throws `FrameTooLargeError`. */
  send(frame) {
    if (this.#socket.destroyed) return false;
    const free = this.#socket.write(pack(frame));
    if (!free && !this.#paused && this.#socket.writableLength > READ_PAUSE_BYTES) {
      this.#paused = true;
      this.#socket.pause();
    }
    return free;
  }

  /** Resolves when the lane can take more. */
  drained() {
    if (!this.#socket.writableNeedDrain) return Promise.resolve();
    return new Promise((resolve) => this.#socket.once('drain', resolve));
  }

  /** Sends a last frame and calls `done` when it is out, or after `limitMs`. */
  sendLast(frame, limitMs, done) {
    if (this.#socket.writableLength === 0 && this.#writeNow(pack(frame))) return done();
    const timer = setTimeout(done, limitMs);
    this.#socket.write(pack(frame), () => {
      clearTimeout(timer);
      done();
    });
  }

  #writeNow(buffer) {
    try {
      return fs.writeSync(this.#fd, buffer) === buffer.length;
    } catch {
      return false;
    }
  }

  #resume() {
    if (!this.#paused) return;
    this.#paused = false;
    this.#socket.resume();
  }

  #receive(chunk) {
    this.#parts.push(chunk);
    this.#have += chunk.length;
    while (this.#have >= 4) {
      if (this.#parts[0].length < 4) this.#join();
      const size = this.#parts[0].readUInt32BE(0);
      if (size > MAX_FRAME) return this.onOversize(size);
      if (this.#have < 4 + size) return;
      if (this.#parts[0].length < 4 + size) this.#join();
      const first = this.#parts[0];
      const text = first.utf8Slice(4, 4 + size);
      this.#have -= 4 + size;
      if (first.length === 4 + size) this.#parts.shift();
      else this.#parts[0] = first.subarray(4 + size);
      this.onFrame(JSON.parse(text), text);
    }
  }

  #join() {
    this.#parts = [Buffer.concat(this.#parts, this.#have)];
  }
}
