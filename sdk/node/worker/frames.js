// Length-prefixed JSON frames on the main lane (descriptor 3).
import fs from 'node:fs';
import net from 'node:net';

/** Largest frame in bytes that either side accepts. */
export const MAX_FRAME = 64 * 1024 * 1024;
/** Above this many unsent bytes the worker stops reading until the host has caught up. */
const READ_PAUSE_BYTES = 32 * 1024 * 1024;
/** Most bytes that are read at once, into a buffer that is used again. */
const READ_BYTES = 64 * 1024;

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
    const onread = { buffer: Buffer.allocUnsafeSlow(READ_BYTES), callback: (size, buffer) => this.#receive(buffer.subarray(0, size)) };
    this.#socket = new net.Socket({ fd, readable: true, writable: true, onread });
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
    const free = this.#write(pack(frame));
    if (!free && !this.#paused && this.#socket.writableLength > READ_PAUSE_BYTES) {
      this.#paused = true;
      this.#socket.pause();
    }
    return free;
  }

  /** Does all that `send` does but send, so that the next frame finds its way warm. */
  rehearse(frame) {
    pack(frame);
  }

  /** Resolves when the lane can take more. */
  drained() {
    if (!this.#socket.writableNeedDrain) return Promise.resolve();
    return new Promise((resolve) => this.#socket.once('drain', resolve));
  }

  /** Sends a last frame and calls `done` when it is out, or after `limitMs`. */
  sendLast(frame, limitMs, done) {
    const rest = this.#writeNow(pack(frame));
    if (!rest) return done();
    const timer = setTimeout(done, limitMs);
    this.#socket.write(rest, () => {
      clearTimeout(timer);
      done();
    });
  }

  #write(buffer) {
    const rest = this.#writeNow(buffer);
    return rest ? this.#socket.write(rest) : true;
  }

  /** Writes past the stream's queue when it is empty, which is quicker; returns what did not fit. */
  #writeNow(buffer) {
    if (this.#socket.writableLength > 0) return buffer;
    let written = 0;
    try {
      written = fs.writeSync(this.#fd, buffer);
    } catch {
      // A full lane waits in the stream's queue; a broken one fails there, where it is told.
    }
    return written < buffer.length ? buffer.subarray(written) : undefined;
  }

  #resume() {
    if (!this.#paused) return;
    this.#paused = false;
    this.#socket.resume();
  }

  /** `chunk` is valid during the call only. */
  #receive(chunk) {
    const rest = this.#have === 0 ? this.#takeFrames(chunk) : chunk;
    if (rest.length === 0) return;
    this.#parts.push(Buffer.from(rest));
    this.#have += rest.length;
    if (rest !== chunk || !this.#complete()) return;
    const joined = Buffer.concat(this.#parts, this.#have);
    const left = this.#takeFrames(joined);
    this.#parts = left.length > 0 ? [left] : [];
    this.#have = left.length;
  }

  /** True when the parts hold the whole first frame. */
  #complete() {
    if (this.#have < 4) return false;
    if (this.#parts[0].length < 4) this.#parts = [Buffer.concat(this.#parts, this.#have)];
    const size = this.#parts[0].readUInt32BE(0);
    return size > MAX_FRAME || this.#have >= 4 + size;
  }

  /** Hands out the whole frames at the beginning of `bytes`; returns the rest. */
  #takeFrames(bytes) {
    let at = 0;
    while (bytes.length - at >= 4) {
      const size = bytes.readUInt32BE(at);
      if (size > MAX_FRAME) {
        this.onOversize(size);
        return bytes.subarray(bytes.length);
      }
      const end = at + 4 + size;
      if (bytes.length < end) break;
      const text = bytes.utf8Slice(at + 4, end);
      at = end;
      this.onFrame(JSON.parse(text), text);
    }
    return bytes.subarray(at);
  }
}
